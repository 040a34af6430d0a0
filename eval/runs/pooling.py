"""What several systems found for a labelled set and nobody has judged yet.

A set whose targets come from one encoder's results favours that encoder. Pooling judges the first
images of several systems' rankings instead (Spärck Jones and van Rijsbergen, "Report on the Need
for and Provision of an 'Ideal' Information Retrieval Test Collection", 1975; TREC's way).
"""

import hashlib
from collections.abc import Mapping, Sequence

from cir.errors import UsageError
from eval.measures import Ids
from eval.runs.queries import ranked_paths
from eval.runs.ranks import COMPOSED
from eval.runs.reading import Run
from eval.sets.labelled import LabelledQuery, LabelledSet

USUAL_DEPTH = 10
"""How many images of each ranking are pooled."""


def pool(
    labelled: LabelledSet, runs: Sequence[Run], *, depth: int = USUAL_DEPTH
) -> dict[str, list[str]]:
    """Query id -> images among the first of any run that are not judged; queries without are out.

    The order tells nothing of the systems and their ranks, so that judging is blind to both.

    Args:
        labelled: the set; its images are named by paths.
        runs: of its queries; what they were judged by then does not matter.
        depth: how many images of each ranking, 1 or more.

    Raises:
        UsageError: there is no run, or its rankings are not at hand.
    """
    if not runs:
        raise UsageError("Name the runs whose results are pooled.")
    queries = {query.id: query for query in labelled.queries}
    found: dict[str, set[str]] = {name: set() for name in queries}
    id_of = labelled.protocol.id_of
    for run in runs:
        for name, paths in ranked_paths(run, COMPOSED, list(queries), depth).items():
            found[name].update(map(id_of, paths))
    pooled = {name: blind(name, found[name] - _judged(query)) for name, query in queries.items()}
    return {name: images for name, images in pooled.items() if images}


def runs_of(labelled: LabelledSet, runs: Sequence[Run]) -> list[Run]:
    """Those of the runs that asked this set, as it is or as it was when less was judged."""
    place = labelled.source and str(labelled.source.root.resolve())
    return [
        run
        for run in runs
        if run.folder is not None
        and (labelled.is_of(run.document) or run.part("settings").get("set") == place)
    ]


def blind(query: str, images: Ids | set[str]) -> list[str]:
    """The images in an order that depends on nothing but their names."""
    return sorted(images, key=lambda image: hashlib.sha256(f"{query}\0{image}".encode()).digest())


def to_judge_again(labelled: LabelledSet, second: LabelledSet | None) -> Mapping[str, list[str]]:
    """Query id -> the images that a second annotator has still to judge, of those that were judged.

    Args:
        labelled: the first annotator's set.
        second: the second's, which has the same query by the same reference and instruction.
    """
    done = {_asked(query): _judged(query) for query in second.queries} if second else {}
    left = {}
    for query in labelled.queries:
        judged = {*query.targets, *query.negatives}
        left[query.id] = blind(query.id, judged - done.get(_asked(query), set()))
    return {query: images for query, images in left.items() if images}


def _judged(query: LabelledQuery) -> set[str]:
    return {*query.targets, *query.negatives, query.reference}


def _asked(query: LabelledQuery) -> tuple[str, str]:
    return query.reference, query.instruction.strip()

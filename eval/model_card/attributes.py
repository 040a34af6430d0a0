"""What a table of attributes tells of an encoder: captions, same types, mistaken colours."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cir.indexing.metadata import MetadataTable, read_table
from cir.store import MilvusIndex, image_id
from eval.measures import Recall
from eval.runs.reading import Run
from eval.sets.labelled import LabelledQuery, LabelledSet

SAME_TYPE_CUT = 10
TYPE, COLOUR, NAME = "articleType", "baseColour", "name"

Attributes = Mapping[str, Mapping[str, object]]
"""Path of an image -> column -> value; {} for an image that the table does not know."""


def attributes_of(table: Path, paths: Sequence[str]) -> Attributes:
    """The table's values for each image of the gallery, in their order."""
    read: MetadataTable = read_table(table, paths)
    return {path: read.lookup(path) or {} for path in paths}


def captions(attributes: Attributes) -> LabelledSet | None:
    """Product names as queries of text alone, each for its own photo; None without any name."""
    queries = tuple(
        LabelledQuery(id=path, reference="", instruction=str(values[NAME]), targets={path: 1})
        for path, values in attributes.items()
        if values.get(NAME)
    )
    return LabelledSet("captions", "all", queries, fingerprint="") if queries else None


def caption_recall(run: Run) -> Mapping[str, float]:
    """recall@k of the run of `captions`; one photo of all is right."""
    return {
        str(cut): round(run.metrics[str(cut)], 4)
        for cut in (Recall(1), Recall(5), Recall(10), Recall(50))
    }


def same_type_rate(index: MilvusIndex, attributes: Attributes) -> float:
    """Share of an image's ten nearest images that are of its type, the mean over all images."""
    types = np.array([str(values.get(TYPE, "")) for values in attributes.values()])
    rows = index.vectors([image_id(path) for path in attributes])
    scores = rows @ rows.T
    np.fill_diagonal(scores, -np.inf)
    others = min(SAME_TYPE_CUT, len(rows) - 1)
    if not others or not types.any():
        return 0.0
    near = np.argsort(-scores, axis=1)[:, :others]
    return round(float((types[near] == types[:, None])[types != ""].mean()), 4)


def mistaken_colours(
    labelled: LabelledSet, first: Mapping[str, str], attributes: Attributes
) -> list[tuple[str, str, int]]:
    """(wanted colour, colour of the first result, how often) where they differ, common ones first.

    The wanted colour is that of the targets, for the queries of the group "colour"; `first` holds
    the path of each query's first result.
    """
    colours = {path: str(values.get(COLOUR, "")) for path, values in attributes.items()}
    counts: Counter[tuple[str, str]] = Counter()
    for query in labelled.queries:
        if query.group != "colour" or query.id not in first:
            continue
        wanted = {colours[path] for path in query.targets if path in colours}
        got = colours[first[query.id]]
        if len(wanted) == 1 and got not in wanted:
            counts[wanted.pop(), got] += 1
    return [(*pair, count) for pair, count in counts.most_common()]

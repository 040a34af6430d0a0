"""Rankings of a labelled set's queries, by the same search that people use, and their scores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cir.images import open_image
from cir.search import Mode, Query, search_batch
from cir.store import Hit, image_id
from cir.streams import batched
from eval.gallery import Gallery
from eval.labelled_set import LabelledQuery, LabelledSet
from eval.metrics import Scores, first_target_rank, score
from eval.runs import RunWriter

DEPTH = 100
"""Length of a ranking; MRR counts a target below it as not found. No less than the largest k."""

COMPOSED: tuple[Mode, ...] = ("composed",)
"""What is run without ablations; `cir.search.MODES` adds each half alone and the sum of both."""

BATCH = 64
"""Queries whose reference images are held in memory, and searched in one request."""

OnQueries = Callable[[int, int], None]
"""Called with the number of queries done and the number of all."""


@dataclass(frozen=True)
class Ranking:
    """One query's result in one mode: at most `DEPTH` hits, best first."""

    query: LabelledQuery
    mode: Mode
    hits: Sequence[Hit]


def evaluate(
    labelled: LabelledSet,
    gallery: Gallery,
    writer: RunWriter,
    *,
    modes: Sequence[Mode] = COMPOSED,
    keep_reference: bool = False,
    on_progress: OnQueries | None = None,
) -> dict[str, dict[str, Scores]]:
    """Run every query, write its rankings, and score them.

    Args:
        labelled: the queries; those whose reference image the gallery lacks count 0.
        gallery: what is searched.
        writer: takes each ranking as it comes, so that memory does not grow with the depth.
        modes: what is asked of the encoder.
        keep_reference: whether the reference image stays in the ranking. It is removed by its
            path alone: a copy of the same bytes may be a target.
        on_progress: told after each batch.

    Returns:
        For each mode, every query's id (in the set's order) and its scores.
    """
    scores: dict[str, dict[str, Scores]] = {mode: {} for mode in modes}
    for query in labelled.queries:
        writer.add_query(query.id, query.group)
        for mode in modes:
            scores[mode][query.id] = score((), query.targets)
    askable = [query for query in labelled.queries if gallery.has_reference(query.reference)]
    rankings = rank(askable, gallery, modes, keep_reference=keep_reference)
    for done, ranking in enumerate(rankings, 1):
        query, paths = ranking.query, [hit.path for hit in ranking.hits]
        scores[ranking.mode][query.id] = score(paths, query.targets)
        writer.add_ranking(
            query.id,
            ranking.mode,
            ((hit.path, hit.score) for hit in ranking.hits),
            first_target_rank(paths, query.targets),
        )
        if on_progress:
            on_progress(done // len(modes), len(askable))
    return scores


def rank(
    queries: Sequence[LabelledQuery],
    gallery: Gallery,
    modes: Sequence[Mode],
    *,
    keep_reference: bool = False,
) -> Iterator[Ranking]:
    """Rankings of queries, batch by batch, within a batch mode by mode.

    Raises:
        ImageError: a reference image cannot be read.
    """
    for batch in batched(queries, BATCH):
        opened = {path: open_image(gallery.folder / path) for path in {q.reference for q in batch}}
        for mode in modes:
            # No instruction, no ranking by text: such a query counts 0 in this mode.
            asked = [q for q in batch if mode != "text" or q.instruction.strip()]
            if not asked:
                continue
            found = search_batch(
                gallery.index,
                gallery.encoder,
                [Query(opened[q.reference], q.instruction) for q in asked],
                limit=DEPTH,
                exclude_ids=[[] if keep_reference else [image_id(q.reference)] for q in asked],
                mode=mode,
            )
            for query, hits in zip(asked, found, strict=True):
                yield Ranking(query, mode, hits)

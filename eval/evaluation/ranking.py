"""Rankings of a labelled set's queries, by the same search that people use."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from cir.images import open_image
from cir.indexing.folder import JOB_PATIENCE_SECONDS
from cir.parallel import batched
from cir.progress import OnProgress, ProgressTeller
from cir.rerank.fusing import OnRerank, before_rerank, fused
from cir.search import USUAL, Mode, Query, SearchOptions, search_batch
from cir.settings import Settings
from cir.store import Hit, image_id, patient
from eval.evaluation.gallery import Gallery
from eval.measures import DEPTH, first_target_rank
from eval.runs.writing import RunWriter
from eval.sets.labelled import LabelledQuery, LabelledSet

COMPOSED: tuple[Mode, ...] = ("composed",)
"""What is run without ablations; `cir.search.MODES` adds image, text and their sum."""

BATCH = 64
"""Queries whose reference images are held in memory, and searched in one request."""

QUERIES = "Asking the queries"
"""The stage that `evaluate` tells of."""


class Stopwatch:
    """Wall-clock seconds of named stages, and of the whole since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Time what happens in a `with` statement; what came before under this name is added."""
        start = time.perf_counter()
        yield
        self._stages[stage] = self._stages.get(stage, 0.0) + time.perf_counter() - start

    def seconds(self) -> dict[str, float]:
        """Seconds of each stage in the order they first ended, then `total`, to the millisecond."""
        stages = self._stages | {"total": time.perf_counter() - self._start}
        return {stage: round(value, 3) for stage, value in stages.items()}


@dataclass(frozen=True)
class Ranking:
    """One query's result in one mode.

    Attributes:
        query: what was asked.
        mode: what of it was asked.
        hits: best first, the reference among them where the gallery holds it; one more than the
            depth of the run at least, where there are so many.
        among: the query's candidates, best first; empty where it has none.
    """

    query: LabelledQuery
    mode: Mode
    hits: Sequence[Hit]
    among: Sequence[Hit]


@dataclass(frozen=True)
class Ranked:
    """All rankings of one mode: query id -> paths, best first; the reference may be among them.

    `before`: the same without the second stage, where there is one.
    """

    paths: dict[str, list[str]] = field(default_factory=dict)
    among: dict[str, list[str]] = field(default_factory=dict)
    before: "Ranked | None" = None


def evaluate(
    labelled: LabelledSet,
    gallery: Gallery,
    writer: RunWriter,
    watch: Stopwatch,
    *,
    modes: Sequence[Mode] = COMPOSED,
    keep_reference: bool = False,
    depth: int = DEPTH,
    options: SearchOptions = USUAL,
    settings: Settings | None = None,
    on_progress: OnProgress | None = None,
    on_rerank: OnRerank = lambda outcome: None,
) -> Mapping[Mode, Ranked]:
    """Run every query and write its rankings.

    Args:
        labelled: the queries; those whose reference image the gallery lacks have no ranking.
        gallery: what is searched.
        writer: takes each ranking with its scores as it comes.
        watch: times encoding and search apart.
        modes: what is asked of the encoder.
        keep_reference: whether the reference image stays in the written rankings. It is removed
            by its path alone: a copy of the same bytes may be a target.
        depth: length of the written rankings, 1 to 16,383.
        options: how each query is searched; its `limit` does not matter.
        settings: of the second stage; of the process when None.
        on_progress: told after each ranking of how many queries are done.
        on_rerank: told of what the second stage did for each ranking.

    Returns:
        For each mode what was ranked, with the reference where it was found.
    """
    two_stages = bool(options.rerank)
    found = {mode: Ranked(before=Ranked() if two_stages else None) for mode in modes}
    for query in labelled.queries:
        writer.add_query(query.id, query.groups)
    writer.add_clusters(labelled.clusters())
    askable = [
        query
        for query in labelled.queries
        if not query.reference or gallery.has_reference(query.reference)
    ]
    # One string a path, however often it is ranked.
    same = {path: path for path in gallery.paths}
    teller = ProgressTeller(len(askable), on_progress, stage=QUERIES)
    with patient(JOB_PATIENCE_SECONDS, teller.wait):
        for ranking in rank(askable, gallery, modes, watch, depth, options, settings, on_rerank):
            query, mode = ranking.query, ranking.mode
            _keep(found[mode], ranking, same)
            kept = [
                (hit.path, fused(hit, options.rerank_weight))
                for hit in ranking.hits
                if keep_reference or hit.path != query.reference
            ][:depth]
            first = first_target_rank((path for path, _ in kept), query.first_targets)
            writer.add_ranking(query.id, mode, kept, first)
            if query.candidates:
                few = [(hit.path, fused(hit, options.rerank_weight)) for hit in ranking.among]
                writer.add_candidates(query.id, mode, few)
            teller.count(int(mode == modes[0]))
    return found


def _keep(found: Ranked, ranking: Ranking, same: Mapping[str, str]) -> None:
    """Keep one query's ranking, with and without the second stage."""
    query = ranking.query
    found.paths[query.id] = [same.get(hit.path, hit.path) for hit in ranking.hits]
    if query.candidates:
        found.among[query.id] = [same.get(hit.path, hit.path) for hit in ranking.among]
    if found.before is not None:
        hits, among = before_rerank(ranking.hits), before_rerank(ranking.among)
        _keep(found.before, replace(ranking, hits=hits, among=among), same)


def rank(
    queries: Sequence[LabelledQuery],
    gallery: Gallery,
    modes: Sequence[Mode],
    watch: Stopwatch,
    depth: int = DEPTH,
    options: SearchOptions = USUAL,
    settings: Settings | None = None,
    on_rerank: OnRerank = lambda outcome: None,
) -> Iterator[Ranking]:
    """Rankings of queries, batch by batch, within a batch mode by mode.

    A query that has nothing to ask in a mode (no instruction for its text alone, say) has no
    ranking there, and so counts 0.

    Raises:
        ImageError: a reference image cannot be read.
    """
    for batch in batched(queries, BATCH):
        with watch.measure("reading"):
            paths = {query.reference for query in batch if query.reference}
            opened = {path: open_image(gallery.folder / path) for path in paths}
        asked = {
            query.id: Query(
                opened.get(query.reference),
                query.instruction,
                rewordings=(query.reworded,) if query.reworded else (),
            )
            for query in batch
        }
        among = {query.id: _candidates(query, gallery) for query in batch}
        # One more than the depth, as the reference may be removed; no more than there are.
        limit = max(min(depth + 1, len(gallery.paths)), *map(len, among.values()))
        for mode in modes:
            able = [query for query in batch if _can_be_asked(asked[query.id], mode)]
            choosy = [query for query in able if among[query.id]]
            if not able:
                continue
            found = search_batch(
                gallery.index,
                gallery.encoder,
                [asked[query.id] for query in [*able, *choosy]],
                replace(options, limit=limit),
                only_ids=[None] * len(able) + [among[query.id] for query in choosy],
                mode=mode,
                timed=watch.measure,
                settings=settings,
                on_rerank=on_rerank,
            )
            few = dict(zip((query.id for query in choosy), found[len(able) :], strict=True))
            for query, hits in zip(able, found[: len(able)], strict=True):
                yield Ranking(query, mode, hits, few.get(query.id, ()))


def _can_be_asked(query: Query, mode: Mode) -> bool:
    """Whether the query has what the mode takes."""
    has_image, has_text = query.image is not None, bool(query.text)
    return {"image": has_image, "text": has_text}.get(mode, has_image or has_text)


def _candidates(query: LabelledQuery, gallery: Gallery) -> list[str]:
    """Ids of the query's candidates in the gallery; the reference is none of them."""
    names = set(query.candidates) - {query.reference}
    return [image_id(path) for path in names if path in gallery.paths]

"""Rankings of a labelled set's queries, by the same search that people use."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from PIL.Image import Image

from cir.encoders.protocol import Embeddings, Encoder
from cir.images import open_image
from cir.parallel import batched
from cir.search import Mode, Query, embed
from cir.store import Hit, image_id
from eval.evaluation.gallery import Gallery
from eval.measures import DEPTH, first_target_rank
from eval.runs.writing import RunWriter
from eval.sets.labelled import LabelledQuery, LabelledSet

COMPOSED: tuple[Mode, ...] = ("composed",)
"""What is run without ablations; `cir.search.MODES` adds image, text and their sum."""

BATCH = 64
"""Queries whose reference images are held in memory, and searched in one request."""

OnQueries = Callable[[int, int], None]
"""Called with the number of queries done and the number of all."""


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
        hits: best first, one more than the depth, so that the reference can be taken out.
        among: the query's candidates, best first; empty where it has none.
    """

    query: LabelledQuery
    mode: Mode
    hits: Sequence[Hit]
    among: Sequence[Hit]


@dataclass(frozen=True)
class Ranked:
    """All rankings of one mode: query id -> paths, best first; the reference may be among them."""

    paths: dict[str, list[str]] = field(default_factory=dict)
    among: dict[str, list[str]] = field(default_factory=dict)


def evaluate(
    labelled: LabelledSet,
    gallery: Gallery,
    writer: RunWriter,
    watch: Stopwatch,
    *,
    modes: Sequence[Mode] = COMPOSED,
    keep_reference: bool = False,
    depth: int = DEPTH,
    on_progress: OnQueries | None = None,
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
        depth: length of the written rankings.
        on_progress: told after each batch.

    Returns:
        For each mode what was ranked, with the reference where it was found.
    """
    found = {mode: Ranked() for mode in modes}
    for query in labelled.queries:
        writer.add_query(query.id, query.groups)
    askable = [query for query in labelled.queries if gallery.has_reference(query.reference)]
    # One string a path, however often it is ranked.
    same = {path: path for path in gallery.paths}
    for done, ranking in enumerate(rank(askable, gallery, modes, watch, depth), 1):
        query, mode = ranking.query, ranking.mode
        found[mode].paths[query.id] = [same.get(hit.path, hit.path) for hit in ranking.hits]
        kept = [
            (hit.path, hit.score)
            for hit in ranking.hits
            if keep_reference or hit.path != query.reference
        ][:depth]
        first = first_target_rank((path for path, _ in kept), query.first_targets)
        writer.add_ranking(query.id, mode, kept, first)
        if query.candidates:
            found[mode].among[query.id] = [same.get(hit.path, hit.path) for hit in ranking.among]
            writer.add_candidates(query.id, mode, ((h.path, h.score) for h in ranking.among))
        if on_progress:
            on_progress(done // len(modes), len(askable))
    return found


def rank(
    queries: Sequence[LabelledQuery],
    gallery: Gallery,
    modes: Sequence[Mode],
    watch: Stopwatch,
    depth: int = DEPTH,
) -> Iterator[Ranking]:
    """Rankings of queries, batch by batch, within a batch mode by mode.

    Raises:
        ImageError: a reference image cannot be read.
    """
    for batch in batched(queries, BATCH):
        with watch.measure("reading"):
            paths = {query.reference for query in batch}
            opened = {path: open_image(gallery.folder / path) for path in paths}
        for mode in modes:
            # No instruction, no ranking by text: such a query counts 0 in this mode.
            asked = [q for q in batch if mode != "text" or q.instruction.strip()]
            if not asked:
                continue
            with watch.measure("encoding"):
                vectors = _embedded(asked, opened, gallery.encoder, mode)
            with watch.measure("search"):
                found = gallery.index.search(vectors, depth + 1)
                among = _among(asked, vectors, gallery)
            for query, hits, few in zip(asked, found, among, strict=True):
                yield Ranking(query, mode, hits, few)


def _embedded(
    queries: Sequence[LabelledQuery], opened: Mapping[str, Image], encoder: Encoder, mode: Mode
) -> Embeddings:
    """`(n, dim)` unit rows of the queries; of one with two wordings, the mean of both."""

    def rows(of: Sequence[LabelledQuery], texts: Sequence[str]) -> Embeddings:
        asked = [Query(opened[q.reference], text) for q, text in zip(of, texts, strict=True)]
        return embed(encoder, asked, mode)

    vectors = rows(queries, [query.instruction for query in queries])
    places = [place for place, query in enumerate(queries) if query.reworded]
    if places and mode != "image":
        again = [queries[place] for place in places]
        vectors[places] = _mean(vectors[places], rows(again, [query.reworded for query in again]))
    return vectors


def _mean(first: Embeddings, second: Embeddings) -> Embeddings:
    """`(n, dim)` unit rows halfway between those of two wordings."""
    total = first + second
    length = np.linalg.norm(total, axis=1, keepdims=True)
    rows: Embeddings = (total / np.maximum(length, 1e-12)).astype(np.float32)
    return rows


def _among(
    queries: Sequence[LabelledQuery], vectors: Embeddings, gallery: Gallery
) -> list[list[Hit]]:
    """For each query its candidates in the gallery, ranked; the reference is none of them."""
    only = [
        [image_id(path) for path in set(q.candidates) - {q.reference} if path in gallery.paths]
        for q in queries
    ]
    asked = [place for place, ids in enumerate(only) if ids]
    found: list[list[Hit]] = [[] for _ in queries]
    if asked:
        most = max(len(only[place]) for place in asked)
        answers = gallery.index.search(
            vectors[asked], most, only_ids=[only[place] for place in asked]
        )
        for place, hits in zip(asked, answers, strict=True):
            found[place] = hits
    return found

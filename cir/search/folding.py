"""What of a ranking is shown: nothing below a threshold, copies folded, one image of a group."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cir.errors import UsageError
from cir.search.options import SearchOptions
from cir.store import Hit, MilvusIndex
from cir.store.collection import MAX_LIMIT
from cir.store.filters import Condition, canonical
from cir.store.wire import INT64

NEAR = 0.995
"""Least cosine of the embeddings of near-duplicates."""
_FIRST_LOOK = 100  # hits; Milvus takes hardly longer for so many than for one
_GROWTH = 4
_EXCLUDED = 500  # values of a column in one expression

Ask = Callable[[int, Sequence[Condition]], Sequence[Hit]]
"""Gives the first hits of a ranking, so many, of those images that meet further conditions."""


def check(index: MilvusIndex, options: SearchOptions) -> None:
    """Refuse what the index cannot be asked.

    Raises:
        UsageError: there is no such column to group by.
    """
    if options.group_by and options.group_by not in index.info.columns:
        there = ", ".join(sorted(index.info.columns)) or "none"
        raise UsageError(
            f'There is no column "{options.group_by:.200}" to group by. The columns are: {there}.'
        )


def is_plain(options: SearchOptions) -> bool:
    """Whether every hit is shown as it is found."""
    folds = options.distinct or options.fold or options.group_by
    return not folds and options.threshold is None


def shown(
    index: MilvusIndex, ask: Ask, options: SearchOptions, where: Sequence[Condition]
) -> list[Hit]:
    """The first `options.limit` hits of a ranking, after what the options leave out and fold.

    Asks for more until there are enough or there is nothing more. Groups that have been seen are
    left out of the next request: so each group is found, by its best image, however many images
    the others have. What stands under a hit was found on the way: a copy that ranks far below the
    last hit is not looked for.

    Args:
        ask: gives the ranking.
        where: the search's own conditions; images of a group are counted under them.
    """
    folding = _Folding(index, options)
    further: list[Condition] = []
    count = max(_FIRST_LOOK, 2 * options.limit)
    while True:
        count = min(count, MAX_LIMIT)
        hits = ask(count, further)
        folding.take([hit for hit in hits if _is_near(hit, options)])
        if len(folding.heads) >= options.limit or len(hits) < count or _has_ended(hits, options):
            break
        before, further = further, folding.other_groups()
        if not further or further == before:  # the next request would find nothing else
            if count == MAX_LIMIT:
                break
            count *= _GROWTH
    heads = folding.heads[: options.limit]
    if not options.group_by:
        return heads
    sizes = index.group_sizes(options.group_by, where)
    # An image that came a moment ago is not counted yet.
    return [replace(hit, group_size=sizes.get(_group_of(hit, options), 1)) for hit in heads]


class _Folding:
    """Hits in the order of a ranking, each a head of its own or put under one before it."""

    def __init__(self, index: MilvusIndex, options: SearchOptions) -> None:
        self._index = index
        self._options = options
        self._ids: set[str] = set()
        self._contents: dict[str, int] = {}
        self._vectors: NDArray[np.float32] = np.empty((0, index.info.dim), np.float32)
        self._groups: set[Any] = set()
        self._heads: list[Hit] = []
        self._under: list[list[Hit]] = []

    @property
    def heads(self) -> list[Hit]:
        """The heads so far, with what stands under them."""
        pairs = zip(self._heads, self._under, strict=True)
        return [replace(head, folded=tuple(under)) if under else head for head, under in pairs]

    def take(self, hits: Sequence[Hit]) -> None:
        """Take further hits, up to some after the last head that is wanted."""
        step = max(_FIRST_LOOK, self._options.limit)
        for start in range(0, len(hits), step):
            if len(self._heads) >= self._options.limit:
                return
            part = [hit for hit in hits[start : start + step] if hit.id not in self._ids]
            self._ids.update(hit.id for hit in part)
            if not part:
                continue
            vectors = self._vectors_of(part)
            for at, hit in enumerate(part):
                self._place(hit, vectors[at : at + 1])

    def other_groups(self) -> list[Condition]:
        """Conditions that images of other groups meet; none where they cannot be told so."""
        column = self._options.group_by
        if not column or len(self._groups) > _EXCLUDED:
            return []
        others = [Condition(column, "!=", value) for value in self._groups if value is not None]
        return others + (_has_value(self._index, column) if None in self._groups else [])

    def _place(self, hit: Hit, vector: NDArray[np.float32]) -> None:
        head = self._head_of(hit, vector)
        if head is not None:
            self._under[head].append(hit)
            return
        if self._options.group_by:
            group = _group_of(hit, self._options)
            if group in self._groups:
                return
            self._groups.add(group)
        self._contents.setdefault(hit.content_hash, len(self._heads))
        if self._options.fold:
            self._vectors = np.concatenate([self._vectors, vector])
        self._heads.append(hit)
        self._under.append([])

    def _head_of(self, hit: Hit, vector: NDArray[np.float32]) -> int | None:
        """The head that a hit stands under; the first of several."""
        if not self._options.fold:
            return self._contents.get(hit.content_hash) if self._options.distinct else None
        near = np.flatnonzero(self._vectors @ vector[0] >= NEAR)
        same = self._contents.get(hit.content_hash)
        found = [*near[:1].tolist(), *([] if same is None else [same])]
        return min(found, default=None)

    def _vectors_of(self, hits: Sequence[Hit]) -> NDArray[np.float32]:
        """`(n, dim)` unit rows, or `(n, 0)` where none are needed."""
        if not self._options.fold:
            return np.empty((len(hits), 0), np.float32)
        rows = {row.record.id: row.vector for row in self._index.rows([hit.id for hit in hits])}
        nothing = np.zeros(self._index.info.dim, np.float32)  # an image that has just gone
        vectors = np.array([rows.get(hit.id, nothing) for hit in hits], np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: NDArray[np.float32] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
        return unit


def _is_near(hit: Hit, options: SearchOptions) -> bool:
    return options.threshold is None or hit.score >= options.threshold


def _has_ended(hits: Sequence[Hit], options: SearchOptions) -> bool:
    """Whether all that follows is below the threshold: so it is where hits are ranked by score."""
    return not options.words and not _is_near(hits[-1], options)


def _group_of(hit: Hit, options: SearchOptions) -> Any:
    """The value by which a hit is grouped, None where it has none."""
    value = hit.metadata.get(options.group_by)
    return canonical(value) if isinstance(value, str) else value


def _has_value(index: MilvusIndex, column: str) -> list[Condition]:
    """Conditions that images with a value of the column meet; none of a boolean column."""
    match index.info.columns[column]:
        case "string":
            return [Condition(column, ">=", "")]
        case "integer":
            return [Condition(column, ">=", 1 - INT64)]
        case "number":
            return [Condition(column, ">=", -sys.float_info.max)]
        case "boolean":
            return []

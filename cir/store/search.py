"""Nearest-neighbour search over one collection, with ids left out or singled out per query."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cir.store import filters
from cir.store.collection import MAX_LIMIT, ImageCollection, parts
from cir.store.records import Hit
from cir.store.wire import decode_metadata, decode_text

_QUERIES = 500
_HITS = 200_000
_ALLOWED_IDS = 10_000


@dataclass(frozen=True)
class Search:
    """Searches that share their conditions.

    Attributes:
        images: where to search.
        where: an expression that every hit meets, or "".
        strong: whether a server must first see every write that anybody has finished.
    """

    images: ImageCollection
    where: str
    strong: bool

    def excluding(
        self,
        queries: NDArray[np.float32],
        limit: int,
        excluded: Sequence[Collection[str]] | None,
    ) -> list[list[Hit]]:
        """Hits of each query without its excluded ids: one request for as many queries as fit.

        Asks for as many more hits as the largest exclusion and drops the excluded here, so that
        queries with different exclusions share a request.
        """
        extra = max((len(ids) for ids in excluded or ()), default=0)
        fetch = min(limit + extra, MAX_LIMIT)
        step = max(1, min(_QUERIES, _HITS // fetch))
        found: list[list[Hit]] = []
        for start in range(0, len(queries), step):
            found.extend(self._ask(queries[start : start + step], fetch, self.where))
        if excluded is None:
            return found
        return [_without(hits, ids, limit) for hits, ids in zip(found, excluded, strict=True)]

    def among(self, query: NDArray[np.float32], limit: int, allowed: Collection[str]) -> list[Hit]:
        """Hits of one query `(dim,)` among the allowed ids."""
        hits: list[Hit] = []
        for part in parts(sorted(allowed), _ALLOWED_IDS):
            expression = filters.conjunction([filters.keys_in("id", part), self.where])
            hits += self._ask(query[None], min(limit, len(part)), expression)[0]
        return sorted(hits, key=_order)[:limit]

    def _ask(self, queries: NDArray[np.float32], limit: int, expression: str) -> list[list[Hit]]:
        answers = self.images.search(
            queries, limit, expression, fields=("path", "meta"), strong=self.strong
        )
        return [sorted(_hits(answer), key=_order) for answer in answers]


def _hits(answer: Any) -> Iterator[Hit]:
    for found in answer:
        yield Hit(
            id=found["id"],
            path=decode_text(found["entity"]["path"]),
            # Rounding in Milvus may give 1.0000001.
            score=min(1.0, max(-1.0, float(found["distance"]))),
            metadata=decode_metadata(found["entity"]["meta"]),
        )


def _order(hit: Hit) -> tuple[float, str]:
    return -hit.score, hit.path


def _without(hits: list[Hit], ids: Collection[str], limit: int) -> list[Hit]:
    left_out = set(ids)
    return [hit for hit in hits if hit.id not in left_out][:limit]

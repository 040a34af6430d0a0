"""The images of one index as rows of a Milvus collection: query, iterate, write, delete."""

import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cir.store import filters, fulltext
from cir.store.connection import CONNECT_SECONDS, WORK_SECONDS, Connection
from cir.store.records import Hit, IndexInfo, IndexType
from cir.store.schema import ensure_loaded, holds_words, index_anew
from cir.store.wire import RECORD_FIELDS, batches, decode_metadata, decode_text

MAX_LIMIT = 16_384
"""Most rows or hits that Milvus gives in one answer."""

READ_ROWS = 2_000
_UPSERT_BYTES = 2**20
_PAGE_ROWS = 12_000
_PAGE_BYTES = 2**20  # of embeddings: Milvus Lite takes four times as long for two times as much
_COPY_ROWS = 1_000
_COPY_BYTES = 4 * 2**20
_THUMBNAIL_ROWS = 200
_HEX = "0123456789abcdef"
_AFTER_HEX = "g"
_LOOK_SECONDS = 1.0


class ImageCollection:
    """Rows of an index, by field name; every method raises StoreError where Milvus fails.

    Reads see every earlier write of this process, and on a server what other processes wrote
    unless that was in the last few seconds; with `strong`, all of it. Where a method is told
    nothing, it reads as the whole collection does.
    """

    def __init__(self, connection: Connection, info: IndexInfo, *, strong: bool = False) -> None:
        self._connection = connection
        self._strong = strong
        self._name = info.name
        self._collection = info.collection
        self._looked = -math.inf, (0, 0)

    def session(self) -> AbstractContextManager[Any]:
        """A client for calls on the loaded collection."""
        self.load()
        return self._connection.session(self._name)

    @property
    def loaded(self) -> bool:
        """Whether the collection is known to be loaded."""
        return self._collection in self._connection.ready

    def load(self) -> None:
        """Load the collection."""
        ensure_loaded(self._connection, self._collection, self._name)

    def holds_words(self) -> bool:
        """Whether the rows have a field for their words."""
        return holds_words(self._connection, self._collection)

    def index_anew(self, index_type: IndexType) -> None:
        """Replace the vector index; the rows stay as they are."""
        index_anew(self._connection, self._collection, index_type)

    def exists(self) -> bool:
        """Whether Milvus still holds the collection."""
        with self._connection.session() as client:
            return bool(client.has_collection(self._collection, timeout=CONNECT_SECONDS))

    def query(
        self,
        expression: str,
        fields: Sequence[str],
        limit: int | None = None,
        *,
        strong: bool | None = None,
    ) -> list[dict[str, Any]]:
        """Fields of the rows that meet an expression, in no order.

        `limit`, at most `MAX_LIMIT`, is needed for rows: without one, Lite gives up to 16,383.
        """
        options = {} if limit is None else {"limit": limit}
        with self.session() as client, self._reading(strong) as level:
            rows = client.query(
                self._collection,
                filter=expression,
                output_fields=list(fields),
                consistency_level=level,
                timeout=WORK_SECONDS,
                **options,
            )
        return [dict(row) for row in rows]

    def by_key(
        self,
        keys: Sequence[str],
        fields: Sequence[str],
        step: int = READ_ROWS,
        *,
        strong: bool | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Rows with these ids, `step` a request, in no order; unknown ids are left out."""
        for part in parts(keys, step):
            yield from self.query(filters.keys_in("id", part), fields, len(part), strong=strong)
            strong = False  # what the first request saw, the others see

    def count(self, expression: str = "", *, strong: bool | None = None) -> int:
        """Number of rows now that meet an expression."""
        return int(self.query(expression, ["count(*)"], strong=strong)[0]["count(*)"])

    def iterate(self, fields: Sequence[str], rows: int = _PAGE_ROWS) -> Iterator[dict[str, Any]]:
        """Every row once, by id, in bounded memory; `fields` must name `id`.

        Pages are ranges of ids, which are digests and so spread evenly: this asks for no order of
        answers and survives writes between pages. One has about `rows` rows at most. The first
        request sees what any process has written before; what it saw, the others see.
        """
        total = self.count(strong=True)
        if not total:
            return  # of an empty collection Lite gives no vectors, not even none
        limit = min(2 * rows, MAX_LIMIT)
        width = 0
        while total > rows * 16**width:
            width += 1
        for number in range(16**width):
            yield from self._page(f"{number:0{width}x}" if width else "", fields, limit)

    def vector_pages(self, dim: int, total: int) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        """Ids and embeddings `(n, dim)` of every row, a page after the other, by id.

        `total` is a count of now; as in `iterate`, pages are ranges of ids.
        """
        pages = math.ceil(total * dim * 4 / _PAGE_BYTES)
        starts = [f"{page * 16**8 // pages:08x}" for page in range(pages)]
        for low, high in pairwise([*starts, _AFTER_HEX]):
            rows = self.query(
                filters.key_range(low, high), ["id", "vector"], MAX_LIMIT, strong=False
            )
            rows.sort(key=lambda row: str(row["id"]))
            vectors = np.array([row["vector"] for row in rows], np.float32).reshape(-1, dim)
            yield [row["id"] for row in rows], vectors

    def used_content(self, content_hashes: Collection[str]) -> set[str]:
        """Those of the content hashes that some row has, whoever wrote it."""
        used: set[str] = set()
        for part in parts(sorted(content_hashes), READ_ROWS):
            expression = filters.keys_in("content_hash", part)
            rows = self.query(expression, ["content_hash"], MAX_LIMIT, strong=True)
            if len(rows) == MAX_LIMIT:
                # So many copies of one file that the answer may be cut short: look at all rows.
                every = {row["content_hash"] for row in self.iterate(["id", "content_hash"])}
                return every & set(content_hashes)
            used.update(row["content_hash"] for row in rows)
        return used

    def iterate_whole(self, dim: int) -> Iterator[list[dict[str, Any]]]:
        """Every row with all that is stored of it, as `upsert` takes it, in groups of some MB."""
        fields = [*RECORD_FIELDS, "vector"]
        size = max(1, min(_COPY_ROWS, _COPY_BYTES // (4 * dim)))
        if not self._connection.is_lite:
            fields.append("thumbnail")
            size = min(size, _THUMBNAIL_ROWS)
        rows = self.iterate(fields, size)
        while group := list(islice(rows, size)):
            for row in group:
                row["vector"] = np.asarray(row["vector"], dtype=np.float32)
            yield group

    def state(self) -> tuple[int, int]:
        """What changes with the rows: number of rows, and writes of this process.

        What other processes did may be missed for a second: a page asks for this many times.
        """
        looked, state = self._looked
        writes = self._connection.consistency.writes(self._collection)
        if writes != state[1] or time.monotonic() > looked + _LOOK_SECONDS:
            state = self.count(), writes
            self._looked = time.monotonic(), state
        return state

    def upsert(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write rows in groups of about 1 MB, with their words where there is a field for them."""
        if self.holds_words():
            rows = (
                {**row, fulltext.FIELD: fulltext.words_of(decode_metadata(row["meta"]))}
                for row in rows
            )
        for group in batches(rows, _UPSERT_BYTES):
            with self.session() as client, self._writing():
                client.upsert(self._collection, group, timeout=WORK_SECONDS)

    def delete(self, keys: Sequence[str]) -> None:
        """Remove the rows with these ids."""
        for part in parts(keys, READ_ROWS):
            filters.keys_in("id", part)  # refuses keys that would damage a Lite file
            with self.session() as client, self._writing():
                client.delete(self._collection, ids=list(part), timeout=WORK_SECONDS)

    def search(
        self,
        queries: NDArray[np.float32],
        limit: int,
        expression: str,
        *,
        fields: Sequence[str],
        strong: bool,
    ) -> Sequence[Any]:
        """For each query the nearest rows that meet an expression, as pymilvus gives them."""
        return self._search("vector", list(queries), limit, expression, fields, strong=strong)

    def match(
        self, texts: Sequence[str], limit: int, expression: str, *, strong: bool
    ) -> list[dict[str, float]]:
        """For each text the BM25 scores, by id, of the rows that hold most of its words.

        Rows that meet the expression and hold some of the words; at most `limit` of them.
        """
        found = self._search(
            fulltext.VECTOR_FIELD, list(texts), limit, expression, ["id"], strong=strong
        )
        return [{hit["id"]: float(hit["distance"]) for hit in hits} for hits in found]

    def _search(
        self,
        field: str,
        data: Sequence[Any],
        limit: int,
        expression: str,
        fields: Sequence[str],
        *,
        strong: bool,
    ) -> Sequence[Any]:
        with self.session() as client, self._reading(strong or None) as level:
            answers: Sequence[Any] = client.search(
                self._collection,
                data=data,
                anns_field=field,
                limit=limit,
                filter=expression,
                output_fields=list(fields),
                consistency_level=level,
                timeout=WORK_SECONDS,
            )
        return answers

    def _reading(self, strong: bool | None) -> AbstractContextManager[str]:
        told = self._strong if strong is None else strong
        return self._connection.consistency.reading(self._collection, strong=told)

    def _writing(self) -> AbstractContextManager[None]:
        return self._connection.consistency.writing(self._collection)

    def _page(self, prefix: str, fields: Sequence[str], limit: int) -> Iterator[dict[str, Any]]:
        expression = filters.key_range(prefix, prefix + _AFTER_HEX)
        rows = self.query(expression, fields, limit, strong=False)
        if len(rows) < limit:
            yield from sorted(rows, key=lambda row: str(row["id"]))
            return
        for digit in _HEX:
            yield from self._page(prefix + digit, fields, limit)


def parts(items: Sequence[str], step: int) -> Iterator[list[str]]:
    """The items in order, `step` at a time."""
    for start in range(0, len(items), step):
        yield list(items[start : start + step])


_QUERIES = 500
_HITS = 200_000
_ALLOWED_IDS = 10_000
_HIT_FIELDS = ("path", "meta", "content_hash")


@dataclass(frozen=True)
class Matches:
    """The images that hold words of a text.

    Attributes:
        scores: BM25 scores by id.
        cut: whether there may be more of them.
    """

    scores: Mapping[str, float]
    cut: bool = False


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

    def nearest(
        self,
        queries: NDArray[np.float32],
        limit: int,
        excluded: Sequence[Collection[str]],
        allowed: Sequence[Collection[str] | None],
    ) -> list[list[Hit]]:
        """Hits of each query among its allowed ids, or without its excluded ones."""
        whole = [at for at, ids in enumerate(allowed) if ids is None]
        hits = iter(self.excluding(queries[whole], limit, [excluded[at] for at in whole]))
        return [
            next(hits) if ids is None else self.among(query, limit, ids)
            for query, ids in zip(queries, allowed, strict=True)
        ]

    def matching(
        self,
        texts: Sequence[str],
        limit: int,
        excluded: Sequence[Collection[str]],
        allowed: Sequence[Collection[str] | None],
    ) -> list[Matches]:
        """For each text the images that hold its words, likewise."""
        whole = [at for at, ids in enumerate(allowed) if ids is None and texts[at]]
        fetch = min(limit + max((len(excluded[at]) for at in whole), default=0), MAX_LIMIT)
        found: dict[int, Matches] = {}
        step = max(1, min(_QUERIES, _HITS // fetch))
        for start in range(0, len(whole), step):
            part = whole[start : start + step]
            asked = [texts[at] for at in part]
            answers = self.images.match(asked, fetch, self.where, strong=self.strong)
            for at, scores in zip(part, answers, strict=True):
                out = set(excluded[at])
                kept = {id_: score for id_, score in scores.items() if id_ not in out}
                found[at] = Matches(kept, cut=len(scores) == fetch)
        for at, ids in enumerate(allowed):
            if ids is not None:
                found[at] = self._matching_among(texts[at], ids)
        return [found.get(at, Matches({})) for at in range(len(texts))]

    def joined(
        self, query: NDArray[np.float32], text: str, near: Sequence[Hit], matches: Matches
    ) -> list[Hit]:
        """The hits of one query `(dim,)` by vector joined with those by words, best first."""
        close = {hit.id for hit in near}
        scores = dict(matches.scores)
        if matches.cut:
            # Beyond where the answer ends, many may hold as many of the words as the last in it.
            least = min(scores.values(), default=math.inf) - fulltext.SAME_SCORE
            among = self._matching_among(text, close).scores
            scores |= {id_: score for id_, score in among.items() if score >= least}
        far = self.among(query, MAX_LIMIT, scores.keys() - close)
        return fulltext.joined(near, far, scores)

    def _matching_among(self, text: str, allowed: Collection[str]) -> Matches:
        scores: dict[str, float] = {}
        for part in parts(sorted(allowed) if text else [], _ALLOWED_IDS):
            expression = filters.conjunction([filters.keys_in("id", part), self.where])
            scores |= self.images.match([text], len(part), expression, strong=self.strong)[0]
        return Matches(scores)

    def _ask(self, queries: NDArray[np.float32], limit: int, expression: str) -> list[list[Hit]]:
        answers = self.images.search(
            queries, limit, expression, fields=_HIT_FIELDS, strong=self.strong
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
            content_hash=found["entity"]["content_hash"],
        )


def _order(hit: Hit) -> tuple[float, str]:
    return -hit.score, hit.path


def _without(hits: list[Hit], ids: Collection[str], limit: int) -> list[Hit]:
    left_out = set(ids)
    return [hit for hit in hits if hit.id not in left_out][:limit]

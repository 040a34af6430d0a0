"""One index: write, read and search its images."""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cir.access import refuse_change
from cir.errors import StoreError, UsageError
from cir.store import filters, fulltext
from cir.store.collection import MAX_LIMIT, ImageCollection, Search
from cir.store.columns import Column, ColumnTable, TableCache, read_columns
from cir.store.connection import Connection
from cir.store.exactness import (
    EXACT_IMAGES,
    index_type_for,
    is_behind,
    is_measured,
    measure_recall,
)
from cir.store.facets import Facet, facets_of, kind_of
from cir.store.filters import Condition, spelling
from cir.store.records import Hit, ImageRecord, IndexInfo, IndexType, Recall, Row
from cir.store.registry import Registry, changed_meanwhile
from cir.store.schema import NoWordsError, create_images, make_images
from cir.store.thumbnails import Thumbnails
from cir.store.wire import RECORD_FIELDS, check_rows, fields_of, record_of

_GROUP_ROWS = 1_000
_SAMPLE_ROWS = 2_000
_LISTED_VALUES = 1_000  # more of them take Milvus longer than the ids of their rows
_LISTED_CHARACTERS = 50_000
_SHOWN_VALUE = 30
_GROUP_BYTES = 4 * 2**20
_CHANGEABLE = frozenset(
    (
        "encoder",
        "fingerprint",
        "precision",
        "weights",
        "tokenizer",
        "source",
        "columns",
        "state",
        "count",
        "import_of",
        "usual",
        "title_column",
    )
)
_COLUMN_FIELDS = ("id", "path", "meta")

_tables = TableCache()
"""Shared by all that open an index in this process."""


class MilvusIndex:
    """A Milvus collection of images with its encoder; obtained from a `MilvusStore`.

    Safe to share between threads. Every method raises StoreError where Milvus fails.

    Every read sees what this process wrote before. On a server it may miss what other processes
    wrote in the last few seconds; `iterate`, batches of queries and reads of a gallery miss
    nothing, and neither do those of an index that was opened for that. Thumbnails may be missed in
    any.
    """

    def __init__(
        self,
        info: IndexInfo,
        connection: Connection,
        thumbnails: Thumbnails,
        *,
        read_only: bool = False,
        strong: bool = False,
    ) -> None:
        self._info = info
        self._read_only = read_only
        self._connection = connection
        # What a run measures must not depend on when it began.
        self._strong = strong or info.kind == "gallery"
        self._images = ImageCollection(connection, info, strong=self._strong)
        self._thumbnails = thumbnails

    @property
    def info(self) -> IndexInfo:
        """The index's registry row, as last read or changed through this object."""
        return self._info

    def update(self, **changes: Any) -> None:
        """Change facts in the registry, for example `state="ready", count=120`.

        Raises:
            UsageError: a fact is unknown or cannot change.
            UnknownIndexError: the index has been dropped meanwhile.
        """
        refuse_change(self._read_only)
        wrong = sorted(set(changes) - _CHANGEABLE)
        if wrong:
            raise UsageError(f"These facts of an index cannot be changed: {', '.join(wrong)}.")
        self._info = Registry(self._connection).update(self._info, changes)

    def reread(self) -> IndexInfo:
        """The index's registry row as it is now; `info` stays as it was.

        Raises:
            UnknownIndexError: the index has been dropped meanwhile.
        """
        return Registry(self._connection).reread(self._info)

    def upsert(self, rows: Sequence[Row], *, replace_thumbnails: bool = True) -> None:
        """Write images, replacing those of the same id; of rows that share an id, the last.

        Nothing is written unless every row is sound; each group of about 1 MB is durable when the
        next begins. Thumbnails are stored before their rows.

        Args:
            replace_thumbnails: whether these thumbnails take the place of those that another index
                beside a Lite file has for the same content.

        Raises:
            StoreError: an embedding is not finite or of another length, a metadata value does not
                fit its column, an id is not 32 hex digits.
        """
        refuse_change(self._read_only)
        check_rows(rows, self._info.dim, self._info.columns)
        unique = list({row.record.id: row for row in rows}.values())
        with self._thumbnails.stored(self._images, unique, replace=replace_thumbnails) as fields:
            self._images.upsert(fields_of(row) | extra for row, extra in fields)

    def delete(self, ids: Collection[str]) -> None:
        """Remove images and thumbnails that no other image needs; unknown ids do not matter."""
        refuse_change(self._read_only)
        with self._thumbnails.released(self._images, ids):
            self._images.delete(list(ids))

    def count(self, where: Sequence[str | Condition] = ()) -> int:
        """Number of images now, of those that meet all conditions."""
        return self._images.count(self._expression(self.conditions(where)))

    def search_vectors(
        self,
        vectors: NDArray[np.float32],
        limit: int,
        where: Sequence[str | Condition] = (),
        *,
        exclude_ids: Sequence[Collection[str]] | None = None,
        only_ids: Sequence[Collection[str] | None] | None = None,
        words: Sequence[str] | None = None,
    ) -> list[list[Hit]]:
        """The images nearest to each query's vector, best first; equal scores by path.

        With `words`, that ranking is joined with one by how many words of a text the images'
        metadata hold, see `cir.store.fulltext.joined`.

        Args:
            vectors: `(n, dim)` queries; a row of any length but of finite values.
            limit: images a query, 1 to 16,384. Excluded images count towards this bound:
                16,384 with 4 exclusions gives at most 16,380.
            where: conditions such as "year>=2011"; all must hold.
            exclude_ids: for each query, ids that must not be found.
            only_ids: for each query, the ids among which to search, None for all; costs a request
                for each query that has them.
            words: for each query, the text whose words count, "" for none; costs one to three
                requests for each query that has some.

        Raises:
            UsageError: `limit` is out of range, a condition is wrong, or there are words and the
                index cannot be asked by them.
            StoreError: the queries do not fit the index.
        """
        queries = self._checked(vectors, limit)
        strong = len(queries) > 1
        conditions = self.conditions(where)
        search = Search(self._images, self._expression(conditions), strong=strong)
        excluded = exclude_ids or [()] * len(queries)
        allowed = (
            [None] * len(queries)
            if only_ids is None
            else [
                None if only is None else set(only) - set(out)
                for only, out in zip(only_ids, excluded, strict=True)
            ]
        )
        texts = [fulltext.plain(text).strip() for text in words or ()]
        if not any(texts):
            return search.nearest(queries, limit, excluded, allowed)
        self.require_words()
        pool = fulltext.pool_for(limit)
        near = search.nearest(queries, pool, excluded, allowed)
        if not any(near) and not self.count():
            return near  # of no texts at all Milvus Lite makes words' weights that are no numbers
        matches = search.matching(texts, pool, excluded, allowed)
        return [
            search.joined(query, text, hits, found)[:limit]
            for query, text, hits, found in zip(queries, texts, near, matches, strict=True)
        ]

    @property
    def words_state(self) -> str:
        """ "available" where the words of the metadata can be asked for, else why not, for people.

        Raises:
            StoreError: Milvus fails.
        """
        has_field = fulltext.has_texts(self._info) and self._images.holds_words()
        return fulltext.words_state(self._info, has_field=has_field)

    def require_words(self) -> None:
        """Refuse to ask by words where that is not possible.

        Raises:
            UsageError: says why, and what helps.
        """
        state = self.words_state
        if state != fulltext.AVAILABLE:
            raise UsageError(state)

    @property
    def loaded(self) -> bool:
        """Whether Milvus holds the index in memory: a first search must load it."""
        return self._images.loaded

    def load(self) -> None:
        """Load the index into Milvus's memory, as a first search does by itself."""
        self._images.load()

    def is_behind(self) -> bool:
        """Whether searches miss images that they find after a `rebuild`.

        So it is with large indexes in a Lite file that an earlier version made.
        """
        if self._info.exact:
            return False
        # Strong counts cost a server some 0.2 s; the registry's is that of the last ingest.
        images = self.count() if self._connection.is_lite else self._info.count
        return is_behind(self._info, self._connection.backend, images)

    def rebuild(self) -> None:
        """Make what Milvus searches with anew, of the type that suits the number of images now.

        An index with text columns that cannot be asked by words can be then, where Milvus can: its
        rows are copied, and the copy takes the place of the index when it is whole.

        Embeddings stay as they are, nothing is encoded. Where the new type is not exact, recall is
        measured. A call that was cut short is repeated; until then searches work all the same.

        Raises:
            StoreError: Milvus failed, or the index was changed while it was copied. It stays as it
                was.
        """
        refuse_change(self._read_only)
        images = self.count()
        chosen = index_type_for(self._connection.backend, lambda: images <= EXACT_IMAGES)
        if self._info.kind == "gallery":
            chosen = "FLAT"
        if not (fulltext.has_texts(self._info) and not self._images.holds_words()):
            self._index_anew(chosen)
            return
        try:
            self._copy(chosen)
        except NoWordsError:
            self._index_anew(chosen, words=False)

    def _index_anew(self, chosen: IndexType, **facts: Any) -> None:
        self._images.index_anew(chosen)
        changes = {"index_type": chosen, "recall": None, **facts}
        self._info = Registry(self._connection).update(self._info, changes)
        if not self._info.exact:
            self.measure_recall()

    def _copy(self, chosen: IndexType) -> None:
        """Put a collection with the same rows and their words in the place of this one.

        Raises:
            NoWordsError: this Milvus cannot search for words.
        """
        facts = {"index_type": chosen, "recall": None, "words": True}

        def make(info: IndexInfo) -> Iterator[None]:
            create_images(
                self._connection, info.collection, info.dim, info.index_type, with_words=True
            )
            copy = ImageCollection(self._connection, info, strong=True)
            for rows in self._images.iterate_whole(info.dim):
                copy.upsert(rows)
                yield
            if copy.count() != self._images.count(strong=True):
                raise changed_meanwhile(info)

        self._info = Registry(self._connection).replace(self._info, facts, make)
        self._images = ImageCollection(self._connection, self._info, strong=self._strong)
        if not self._info.exact:
            self.measure_recall()

    def remake(
        self,
        made_by: Mapping[str, Any],
        bring_level: Callable[["MilvusIndex", "MilvusIndex"], Generator[None, None, bool]],
        facts_of: Callable[["MilvusIndex"], Mapping[str, Any]],
    ) -> None:
        """Put other embeddings of the same images in the place of these, when they are whole.

        Until then the index answers as before. A call that is cut short is repeated with the same
        facts to go on from where it was.

        Args:
            made_by: the facts `encoder`, `fingerprint`, `precision`, `weights`, `tokenizer` and
                `dim` of the new embeddings.
            bring_level: gets this index and the one that takes its place, which holds what an
                earlier call has written, and brings the latter level with the former. It yields
                after each writing, returns whether there was anything to do, and is called again
                until there is nothing.
            facts_of: further facts of the one that takes its place.

        Raises:
            UnknownIndexError: the index has been dropped meanwhile.
            UsageError: this process is doing so already, or the index is one of which an import
                has not come to its end.
            StoreError: Milvus failed, or the index was changed meanwhile. It stays as it was.
        """
        refuse_change(self._read_only)
        registry = Registry(self._connection)
        if registry.reread(self._info).import_of:
            raise UsageError(
                f'The import of the index "{self._info.name}" has not come to its end. Import the '
                "same file again first."
            )
        facts: dict[str, Any] = {**made_by, "recall": None, "usual": None}

        def make(info: IndexInfo) -> Iterator[None]:
            now, copy = (
                MilvusIndex(each, self._connection, self._thumbnails, strong=True)
                for each in (self._info, info)
            )
            if not copy._images.exists():
                make_images(self._connection, info)
            is_known = False
            while True:
                before = registry.reread(self._info).updated
                did = yield from bring_level(now, copy)
                if is_known and not did:
                    if registry.reread(self._info).updated == before:
                        break
                    continue  # an ingest came to its end behind this pass
                facts.update(facts_of(copy))
                if not info.exact:
                    facts["recall"] = measure_recall(copy._images, info.dim, copy.search_vectors)
                is_known = True
            if fulltext.has_texts(info):
                facts["words"] = copy._images.holds_words()
            facts["count"] = copy.count()

        self._info = registry.replace(self._info, facts, make, continues=True)
        self._images = ImageCollection(self._connection, self._info, strong=self._strong)

    def measure_recall(self) -> Recall | None:
        """Measure recall@20 of 50 images against exact search, and keep it with the index.

        Reads every embedding once. None of an index with fewer than 2 images.
        """
        refuse_change(self._read_only)
        found = measure_recall(self._images, self._info.dim, self.search_vectors)
        self._info = Registry(self._connection).update(self._info, {"recall": found})
        return found

    def settle(self) -> None:
        """Look at the index again after images came or went.

        In a Lite file an index that outgrew what it finds exactly is rebuilt, in seconds; elsewhere
        recall is measured again where the number of images changed by a quarter.
        """
        images = self.count()
        if self._connection.is_lite and is_behind(self._info, self._connection.backend, images):
            self._index_anew("FLAT")
        elif not self._connection.is_lite and not is_measured(self._info, images):
            self.measure_recall()

    def conditions(self, where: Sequence[str | Condition]) -> list[Condition]:
        """The conditions that texts such as "year>=2011" state.

        Raises:
            UsageError: one is wrong, see `cir.store.filters.parse_where`.
        """
        columns = self._info.columns
        return [
            filters.parse_where(each, columns, self.example_condition)
            if isinstance(each, str)
            else each
            for each in where
        ]

    def example_condition(self, column: str | None = None) -> str:
        """A condition that some images meet, such as `baseColour in Red, Blue`; "" for none.

        On a column of choices where there is one, or on the given column.
        """
        found = self.sample_columns().columns
        order = {"choices": 0, "range": 1, "text": 2, None: 3}
        named = sorted(
            found, key=lambda name: (order[kind_of(found[name])], -len(found[name].values))
        )
        for name in named if column is None else [column]:
            example = _example(name, found[name])
            if example:
                return example
        return ""

    def facets(self, where: Sequence[str | Condition] = ()) -> list[Facet]:
        """What the images can be narrowed down by, column by column.

        What another process changes of the metadata is counted after its `update` of the index,
        with which an ingest ends. The first call after a change reads all metadata, which takes a
        second for 100,000 images; later ones take milliseconds.

        Args:
            where: conditions such as "year>=2011". A column's choices are counted among the images
                that meet those on the other columns.

        Raises:
            UsageError: a condition is wrong.
        """
        return facets_of(self._all_columns(), self.conditions(where))

    def group_sizes(self, column: str, where: Sequence[str | Condition] = ()) -> dict[object, int]:
        """How many images have each value of a metadata column, of those that meet all conditions.

        Texts are in Unicode's form NFC; None stands for no value. As quick as `facets`.

        Raises:
            UsageError: a condition is wrong.
        """
        table = self._all_columns()
        rows = table.meeting(self.conditions(where))
        values = table.columns[column].values
        sizes = table.columns[column].counts(rows)
        found: dict[object, int] = dict(zip(values, sizes.tolist(), strict=True))
        return found | {None: int(rows.sum()) - int(sizes.sum())}

    def sample_columns(self) -> ColumnTable:
        """The metadata by column of some 2,000 images, always the same until the index changes."""
        images, _ = self._images.state()
        if images <= 2 * _SAMPLE_ROWS:
            return self._all_columns()
        # Ids are digests: those up to a bound are a random sample.
        bound = f"{16**8 * _SAMPLE_ROWS // images:08x}"
        return self._kept_columns(
            "sample",
            lambda: self._images.query(
                filters.key_range("0", bound), _COLUMN_FIELDS, MAX_LIMIT, strong=False
            ),
        )

    def choose_title(self, column: str) -> None:
        """Choose the metadata column that titles come from; "" leaves it to what columns hold.

        Raises:
            UsageError: the index has no such column.
        """
        if column and column not in self._info.columns:
            there = ", ".join(sorted(self._info.columns)) or "none"
            raise UsageError(f'There is no column "{column:.200}". The columns are: {there}.')
        self.update(title_column=column)

    def get(self, ids: Sequence[str]) -> list[ImageRecord]:
        """Records of the ids that are there, in the order asked for."""
        found = self._images.by_key(ids, RECORD_FIELDS)
        by_id = {fields["id"]: record_of(fields) for fields in found}
        return [by_id[id_] for id_ in ids if id_ in by_id]

    def rows(self, ids: Sequence[str]) -> list[Row]:
        """Records and embeddings, in the order asked for: to change metadata and `upsert` again.

        `thumbnail` is None, which keeps the stored one. Ids that are not there are left out.
        """
        by_id: dict[str, Row] = {}
        for fields in self._images.by_key(ids, [*RECORD_FIELDS, "vector"]):
            vector = np.asarray(fields["vector"], dtype=np.float32)
            by_id[fields["id"]] = Row(record_of(fields), vector)
        return [by_id[id_] for id_ in ids if id_ in by_id]

    def sample(self, count: int) -> list[Row]:
        """At most `count` images, a random draw that is the same each time, without thumbnails.

        They are those whose ids come first, which are digests.
        """
        share = min(1.0, 2 * count / max(1, self.count()))
        bound = f"{round(share * 16**8):08x}" if share < 1 else None
        rows = self._images.query(
            filters.key_range("", bound), [*RECORD_FIELDS, "vector"], MAX_LIMIT
        )
        rows.sort(key=lambda fields: str(fields["id"]))
        return [
            Row(record_of(fields), np.asarray(fields["vector"], dtype=np.float32))
            for fields in rows[:count]
        ]

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """`(n, dim)` embeddings of the ids, in the order asked for.

        Raises:
            UsageError: an id is not in the index.
        """
        by_id = {row.record.id: row.vector for row in self.rows(ids)}
        missing = [id_ for id_ in ids if id_ not in by_id]
        if missing:
            raise UsageError(f'The index "{self._info.name}" has no image with id {missing[0]}.')
        return np.array([by_id[id_] for id_ in ids], dtype=np.float32).reshape(-1, self._info.dim)

    def iterate(self) -> Iterator[ImageRecord]:
        """Every record once, by id, in bounded memory."""
        return (record_of(fields) for fields in self._images.iterate(RECORD_FIELDS))

    def iterate_rows(self) -> Iterator[list[Row]]:
        """Every row once, with embedding and thumbnail, by id, in groups of some megabytes."""
        size = max(1, min(_GROUP_ROWS, _GROUP_BYTES // (4 * self._info.dim)))
        found = self._images.iterate([*RECORD_FIELDS, "vector"], size)
        while group := list(islice(found, size)):
            jpegs = self.thumbnails([fields["id"] for fields in group])
            yield [
                Row(
                    record_of(fields),
                    np.asarray(fields["vector"], dtype=np.float32),
                    jpegs.get(fields["id"]),
                )
                for fields in group
            ]

    def some(self, limit: int) -> list[ImageRecord]:
        """At most `limit` records, 1 to 16,384, in no order."""
        rows = self._images.query(filters.not_empty("id"), RECORD_FIELDS, limit)
        return [record_of(fields) for fields in rows]

    def ids_with_content(self, content_hash: str) -> list[str]:
        """Ids of the images whose files have this content, sorted; the first 16,384 at most."""
        expression = filters.keys_in("content_hash", [content_hash])
        return sorted(row["id"] for row in self._images.query(expression, ["id"], MAX_LIMIT))

    def thumbnails(self, ids: Sequence[str]) -> dict[str, bytes]:
        """JPEG files of the ids that have a thumbnail."""
        return self._thumbnails.read(self._images, ids)

    def _expression(self, conditions: Sequence[Condition]) -> str:
        """The conditions as Milvus is asked for them."""
        parts = [self._containing(each) for each in conditions if each.operator == "~"]
        if not parts:
            return filters.expression(conditions)
        plain = filters.expression([each for each in conditions if each.operator != "~"])
        return filters.conjunction([plain, *parts])

    def _containing(self, condition: Condition) -> str:
        """An expression for the rows whose text contains something, in whatever letter case.

        Milvus Lite and servers before 2.4 cannot tell that, so it is told which values or rows.
        """
        table = self._all_columns()
        rows = table.meeting([condition])
        column = table.columns[condition.column]
        texts = [
            str(value)
            for value, count in zip(column.values, column.counts(rows), strict=True)
            if count
        ]
        few = len(texts) <= _LISTED_VALUES and sum(map(len, texts)) <= _LISTED_CHARACTERS
        if texts and few and all(map(str.isascii, texts)):
            return filters.expression([Condition(condition.column, "in", tuple(texts))])
        return filters.ids_among(table.ids_of(rows), table.ids_of(~rows))

    def _all_columns(self) -> ColumnTable:
        return self._kept_columns("", lambda: self._images.iterate(_COLUMN_FIELDS))

    def _kept_columns(
        self, part: str, rows: Callable[[], Iterable[Mapping[str, Any]]]
    ) -> ColumnTable:
        state = (self._info.updated, tuple(self._info.columns.items()), self._images.state())
        return _tables.get(
            f"{self._info.collection} {part}",
            state,
            lambda: read_columns(rows(), self._info.columns),
        )

    def _checked(self, vectors: NDArray[np.float32], limit: int) -> NDArray[np.float32]:
        if not 1 <= limit <= MAX_LIMIT:
            raise UsageError(f"A search gives 1 to {MAX_LIMIT} images a query, not {limit}.")
        queries = np.asarray(vectors, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self._info.dim:
            raise StoreError(
                f'The index "{self._info.name}" searches with queries of shape '
                f"(n, {self._info.dim}), not {queries.shape}."
            )
        if not np.isfinite(queries).all():
            raise StoreError("A query holds a value that is not a finite number.")
        return queries


def _example(name: str, column: Column) -> str:
    """A condition on a column that some images meet, short enough to be read."""
    counts = column.counts()
    common = sorted(
        range(len(counts)), key=lambda place: (-counts[place], str(column.values[place]))
    )
    values = [value for value in map(column.values.__getitem__, common) if value != ""]
    if not values:
        return ""
    if column.kind in ("integer", "number"):
        return spelling(Condition(name, ">=", sorted(values)[len(values) // 2]))
    if kind_of(column) == "text":
        words = [word for word in str(values[0]).split() if word.isalpha()]
        return spelling(Condition(name, "~", words[-1])) if words else ""
    short = [value for value in values if len(str(value)) <= _SHOWN_VALUE]
    if len(short) > 1 and column.kind == "string":
        return spelling(Condition(name, "in", tuple(short[:2])))
    return spelling(Condition(name, "=", short[0])) if short else ""

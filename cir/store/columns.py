"""An index's metadata by column, kept in the process: what is counted, and what texts hold.

Milvus counts no values and compares texts letter by letter. A table of 100,000 images takes a
second to read and some 20 MB; it is kept until the index changes.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import ge, gt, le, lt
from pathlib import PurePosixPath
from sys import getsizeof
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cir.store.filters import Condition, Value, canonical
from cir.store.records import ColumnType
from cir.store.wire import decode_metadata, decode_text, fits

Rows = NDArray[np.bool_]
"""`(n,)`: whether each row of a table is meant."""

_KEPT_BYTES = 96 * 2**20
_LOOKED_AT = 50
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {">=": ge, "<=": le, ">": gt, "<": lt}


@dataclass(frozen=True)
class Column:
    """The values of one column.

    Attributes:
        kind: their type.
        values: the different values; texts in Unicode's form NFC.
        codes: `(n,)` unsigned integers: 0 for a row without a value, else 1 and the place of its
            value in `values`.
        names_files: whether the values are paths, names or stems of the images' own files.
    """

    kind: ColumnType
    values: tuple[Value, ...]
    codes: NDArray[Any]
    names_files: bool

    def counts(self, rows: Rows | None = None) -> NDArray[np.int64]:
        """How many of the rows, all by default, have each of the `values`."""
        codes = self.codes if rows is None else self.codes[rows]
        counted: NDArray[np.int64] = np.bincount(codes, minlength=len(self.values) + 1)[1:]
        return counted

    def meeting(self, condition: Condition) -> Rows:
        """The rows that meet a condition on this column."""
        met = np.zeros(len(self.values) + 1, dtype=np.bool_)
        met[0] = condition.operator == "!="
        meets = _test(condition)
        met[1:] = [meets(value) for value in self.values]
        rows: Rows = met[self.codes]
        return rows


@dataclass(frozen=True)
class ColumnTable:
    """The metadata of an index's images, or of a sample of them; see `read_columns`.

    Attributes:
        ids: `(n,)` ids of the images, as bytes.
        columns: name -> column, in the index's order.
    """

    ids: NDArray[np.bytes_]
    columns: Mapping[str, Column]

    def meeting(self, conditions: Iterable[Condition]) -> Rows:
        """The rows that meet all the conditions."""
        met = np.ones(len(self.ids), dtype=np.bool_)
        for condition in conditions:
            met &= self.columns[condition.column].meeting(condition)
        return met

    def ids_of(self, rows: Rows) -> list[str]:
        """The ids of the rows."""
        return [id_.decode() for id_ in self.ids[rows].tolist()]

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        of_columns = sum(
            column.codes.nbytes + sum(map(getsizeof, column.values))
            for column in self.columns.values()
        )
        return self.ids.nbytes + of_columns


def read_columns(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, ColumnType]
) -> ColumnTable:
    """The table of an index's rows, whose fields are `id`, `path` and `meta`."""
    ids: list[bytes] = []
    codes: dict[str, list[int]] = {name: [] for name in columns}
    found: dict[str, dict[Value, int]] = {name: {} for name in columns}
    own_names: dict[str, int] = dict.fromkeys(columns, 0)
    for row in rows:
        metadata = decode_metadata(row["meta"])
        for name, seen in codes.items():
            value = metadata.get(name)
            if isinstance(value, list | dict):
                value = None  # others may write to a shared Milvus
            places = found[name]
            seen.append(0 if value is None else places.setdefault(value, len(places) + 1))
        if len(ids) < _LOOKED_AT:
            path = PurePosixPath(decode_text(row["path"]))
            names = {str(path), str(path.with_suffix("")), path.name, path.stem}
            for name in columns:
                own_names[name] += str(metadata.get(name)) in names
        ids.append(row["id"].encode())
    looked_at = min(len(ids), _LOOKED_AT)
    made = {
        name: _column(kind, found[name], codes[name], 0 < looked_at == own_names[name])
        for name, kind in columns.items()
    }
    return ColumnTable(np.array(ids, dtype="S32"), made)


def folded(text: Value) -> str:
    """A text without its letter case and its Unicode form, for finding one in the other."""
    return canonical(str(text)).casefold()


class TableCache:
    """Tables by a key, each for one state of what it was read from; at most some 96 MB together.

    Safe to share between threads; a table is read by one thread at a time.
    """

    def __init__(self, most_bytes: int = _KEPT_BYTES) -> None:
        self._most = most_bytes
        self._lock = threading.Lock()
        self._reading: dict[str, threading.Lock] = {}
        self._tables: OrderedDict[str, tuple[object, ColumnTable, int]] = OrderedDict()

    def get(self, key: str, state: object, read: Callable[[], ColumnTable]) -> ColumnTable:
        """The table of this key and state, read where it is not kept."""
        with self._lock:
            reading = self._reading.setdefault(key, threading.Lock())
        with reading:
            with self._lock:
                kept = self._tables.get(key)
                if kept is not None and kept[0] == state:
                    self._tables.move_to_end(key)
                    return kept[1]
            table = read()
            with self._lock:
                self._tables[key] = (state, table, table.size)
                self._tables.move_to_end(key)
                while len(self._tables) > 1 and sum(each[2] for each in self._tables.values()) > (
                    self._most
                ):
                    self._tables.popitem(last=False)
            return table


def _column(
    kind: ColumnType, places: Mapping[Value, int], codes: list[int], names_files: bool
) -> Column:
    """A column of values as they were met; texts that differ in their form alone become one."""
    values: dict[Value, int] = {}
    renumbered = [0]
    for value in places:
        if not fits(value, kind):
            renumbered.append(0)
            continue
        same = canonical(value) if isinstance(value, str) else value
        renumbered.append(values.setdefault(same, len(values) + 1))
    smallest = np.min_scalar_type(len(values))
    coded = np.array(renumbered, dtype=smallest)[np.array(codes, dtype=np.intp)]
    return Column(kind, tuple(values), coded, names_files)


def _test(condition: Condition) -> Callable[[Value], bool]:
    """The test of a single value."""
    wanted = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    if condition.operator == "~":
        part = folded(wanted[0])
        return lambda value: part in folded(value)
    if condition.operator in _ORDERS:
        order = _ORDERS[condition.operator]
        return lambda value: order(value, wanted[0])
    among = {canonical(each) if isinstance(each, str) else each for each in wanted}
    return lambda value: (value in among) != (condition.operator == "!=")

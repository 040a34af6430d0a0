"""What an index's metadata can be narrowed down by, column by column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cir.store.columns import Column, ColumnTable, Rows
from cir.store.filters import Condition, Value

FacetKind = Literal["choices", "range", "text"]

MOST_CHOICES = 1_000
"""A column of more different texts is searched by what they contain."""
_FEW_NUMBERS = 5


@dataclass(frozen=True)
class Facet:
    """What a column holds, by kind.

    Attributes:
        column: its name.
        kind: "choices" to tick, a "range" of numbers between two ends, or "text" that contains
            something.
        choices: each value with the number of images that have it and meet the conditions on the
            other columns, the most common of the index first; empty for other kinds.
        low, high: the ends of a range in the whole index, None for other kinds.
    """

    column: str
    kind: FacetKind
    choices: tuple[tuple[Value, int], ...] = ()
    low: int | float | None = None
    high: int | float | None = None


def facets_of(table: ColumnTable, conditions: Sequence[Condition] = ()) -> list[Facet]:
    """The facets of a table, in the order of its columns.

    Columns that say the same of every image, or name the images' files, are left out.
    """
    met = [(each.column, table.columns[each.column].meeting(each)) for each in conditions]
    found = []
    for name, column in table.columns.items():
        kind = kind_of(column)
        if kind is None:
            continue
        if kind == "choices":
            others = [rows for column_of, rows in met if column_of != name]
            found.append(Facet(name, kind, _choices(column, others)))
        elif kind == "range":
            exact = int if column.kind == "integer" else float
            numbers = [exact(value) for value in column.values]
            found.append(Facet(name, kind, low=min(numbers), high=max(numbers)))
        else:
            found.append(Facet(name, kind))
    return found


def kind_of(column: Column) -> FacetKind | None:
    """The kind of a column's facet; None where it tells no images apart or names their files."""
    different = len(column.values)
    valued = int(column.counts().sum())
    if column.names_files or different + (valued < len(column.codes)) < 2 or not different:
        return None
    repeated = different <= max(2, valued // 2)
    if column.kind in ("integer", "number"):
        return "choices" if different <= _FEW_NUMBERS and repeated else "range"
    return "choices" if repeated and different <= MOST_CHOICES else "text"


def _choices(column: Column, others: Sequence[Rows]) -> tuple[tuple[Value, int], ...]:
    every = column.counts()
    under = column.counts(np.logical_and.reduce(others)) if others else every
    order = sorted(
        range(len(every)), key=lambda place: (-every[place], str(column.values[place]).casefold())
    )
    return tuple((column.values[place], int(under[place])) for place in order)

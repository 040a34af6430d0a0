"""What an index can be narrowed down by, and that Milvus finds the rows that were counted."""

import random

import pytest

from cir.errors import UsageError
from cir.store import ColumnType, MilvusIndex, Row
from cir.store.columns import ColumnTable, read_columns
from cir.store.facets import Facet, facets_of
from tests.cir.store.samples import row, unit

COLOURS = ("Red", "Navy, Blue", "red", "caf\u00e9", "cafe\u0301", None)
WHERES = [
    ["colour in Red, red"],
    ['colour in "Navy, Blue"'],
    ["colour=cafe\u0301"],
    ["colour!=caf\u00e9"],
    ["colour~CAF\u00c9"],
    ["colour~zebra"],
    ["colour~e"],
    ["colour<a"],
    ["year>=2011", "year<2013"],
    ["year in 2010, 2012"],
    ["price in 1, 2.5"],
    ["price<=1.5"],
    ["new=true", "colour~red"],
    ["new!=true"],
]


def rows() -> list[Row]:
    """Sixty rows with gaps in their metadata."""
    chooser = random.Random(0)
    made = []
    for number in range(60):
        values = {
            "colour": COLOURS[number % len(COLOURS)],
            "year": chooser.choice((2010, 2011, 2012, 2013, 2014, 2015, None)),
            "price": chooser.choice((1, 1.0, 1.5, 2.5, None)),
            "new": chooser.choice((True, False, None)),
        }
        filled = {name: value for name, value in values.items() if value is not None}
        made.append(row(f"{number}.jpg", metadata=filled))
    return made


def table(columns: dict[str, ColumnType], **values: list[object]) -> ColumnTable:
    """A table of these columns, in memory."""
    count = len(next(iter(values.values())))
    fields = [
        {
            "id": f"{at:032x}",
            "path": f"shop/{at}.jpg",
            "meta": {name: each[at] for name, each in values.items() if each[at] is not None},
        }
        for at in range(count)
    ]
    return read_columns(fields, columns)


def facet(facets: list[Facet], column: str) -> Facet:
    """The facet of a column."""
    return next(each for each in facets if each.column == column)


def test_milvus_finds_the_rows_that_are_counted(index: MilvusIndex) -> None:
    index.upsert(rows())
    columns = index.sample_columns()
    for where in WHERES:
        hits = index.search_vectors(unit(1.0)[None], 100, where=where)[0]
        counted = columns.ids_of(columns.meeting(index.conditions(where)))
        assert sorted(hit.id for hit in hits) == sorted(counted), where


def test_choices_are_counted_under_the_conditions_on_other_columns(index: MilvusIndex) -> None:
    index.upsert(rows())
    every = dict(facet(index.facets(), "colour").choices)
    assert every == {"caf\u00e9": 20, "Red": 10, "red": 10, "Navy, Blue": 10}
    assert next(iter(every)) == "caf\u00e9"
    where = ["new=true", "colour=Red"]
    for value, count in facet(index.facets(where), "colour").choices:
        one = ["new=true", f'colour="{value}"']
        assert len(index.search_vectors(unit(1.0)[None], 100, where=one)[0]) == count
    years = facet(index.facets(where), "year")
    assert (years.kind, years.low, years.high) == ("range", 2010, 2015)


def test_a_facet_knows_what_was_just_written(index: MilvusIndex) -> None:
    index.upsert([row(f"{n}", metadata={"colour": "Red"}) for n in range(4)])
    assert index.facets() == []  # all the same
    index.upsert([row(f"blue {n}", metadata={"colour": "Blue"}) for n in range(2)])
    assert facet(index.facets(), "colour").choices == (("Red", 4), ("Blue", 2))
    found = index.search_vectors(unit(1.0)[None], 10, where=["colour~BLU"])[0]
    assert len(found) == 2
    index.delete([hit.id for hit in found])
    assert index.search_vectors(unit(1.0)[None], 10, where=["colour~BLU"])[0] == []


def test_a_wrong_condition_is_answered_with_one_that_holds(index: MilvusIndex) -> None:
    index.upsert(rows())
    with pytest.raises(UsageError, match='For example: colour in caf\u00e9, "Navy, Blue"'):
        index.facets(["red"])
    with pytest.raises(UsageError, match=r"For example: year>=201[0-5]"):
        index.facets(["year=soon"])
    for column in ("colour", "year", "price", "new"):
        assert index.conditions([index.example_condition(column)])
    assert index.example_condition('odd "name"\n') == ""


def test_a_column_is_offered_by_what_it_holds() -> None:
    columns: dict[str, ColumnType] = {
        "colour": "string",
        "name": "string",
        "year": "integer",
        "stars": "integer",
        "new": "boolean",
        "shop": "string",
        "file": "string",
        "number": "integer",
        "empty": "string",
    }
    found = facets_of(
        table(
            columns,
            colour=[("Red", "Blue", "Red")[n % 3] for n in range(60)],
            name=[f"thing {n}" for n in range(60)],
            year=[1990 + n % 20 for n in range(60)],
            stars=[n % 3 for n in range(60)],
            new=[n % 2 == 0 for n in range(60)],
            shop=["one"] * 60,
            file=[f"{n}.jpg" for n in range(60)],
            number=list(range(60)),
            empty=[None] * 60,
        )
    )
    assert {each.column: each.kind for each in found} == {
        "colour": "choices",
        "name": "text",
        "year": "range",
        "stars": "choices",
        "new": "choices",
    }
    assert facet(found, "colour").choices == (("Red", 40), ("Blue", 20))
    assert (facet(found, "year").low, facet(found, "year").high) == (1990, 2009)


def test_values_of_another_type_do_not_count() -> None:
    odd = table({"year": "integer"}, year=[2010, 2011, [1], {"a": 1}, "2012", True, 2011, 2011])
    assert odd.columns["year"].values == (2010, 2011)
    assert odd.columns["year"].counts().tolist() == [1, 3]

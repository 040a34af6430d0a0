"""Which conditions a person is offered."""

from collections.abc import Mapping

from cir.search.facets import suggested_conditions
from cir.store import ColumnType, ImageRecord
from cir.store.filters import parse_where

COLUMNS: Mapping[str, ColumnType] = {
    "colour": "string",
    "name": "string",
    "year": "integer",
    "new": "boolean",
    "shop": "string",
}


def records() -> list[ImageRecord]:
    return [
        ImageRecord(
            id=f"{number:032x}",
            path=f"{number}.jpg",
            content_hash="0" * 32,
            size=1,
            modified=1,
            width=1,
            height=1,
            metadata={
                "colour": ("Red", "Blue", "Red")[number % 3],
                "name": f"thing {number}",
                "year": 2010 + number % 3,
                "new": number % 2 == 0,
                "shop": "one",
            },
        )
        for number in range(60)
    ]


def test_values_are_offered_the_most_common_first() -> None:
    offered = suggested_conditions(records(), COLUMNS)
    assert offered[:2] == ["colour=Red", "colour=Blue"]
    assert "year=2011" in offered and "year>=2011" in offered and "year>=2010" not in offered
    assert "new=true" in offered


def test_names_and_columns_of_one_value_are_not_offered() -> None:
    offered = suggested_conditions(records(), COLUMNS)
    assert not any(each.startswith(("name", "shop")) for each in offered)


def test_every_offer_is_a_condition() -> None:
    for text in suggested_conditions(records(), COLUMNS):
        parse_where(text, COLUMNS)

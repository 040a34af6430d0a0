"""Example instructions: of the index's own words, and never what the reference shows already."""

from collections.abc import Sequence

from cir.search.examples import Vocabulary, examples, spoken, vocabulary
from cir.store import ImageRecord, Metadata

ROWS: list[Metadata] = [
    {"group": group, "articleType": kind, "baseColour": colour, "gender": who, "name": f"n{at}"}
    for at, (group, kind, colour, who) in enumerate(
        [
            ("Apparel", "Shirts", "Black", "Men"),
            ("Apparel", "Shirts", "Black", "Women"),
            ("Apparel", "Shirts", "Navy Blue", "Men"),
            ("Shoes", "Sandals", "Red", "Men"),
            ("Shoes", "Flip Flops", "Black", "Unisex"),
            ("Shoes", "Flip Flops", "NA", "Men"),
        ]
        * 3
    )
]


def words(rows: Sequence[Metadata]) -> Vocabulary:
    records = [ImageRecord("", "", "", 0, 0, 0, 0, row) for row in rows]
    return vocabulary(records, dict.fromkeys(rows[0], "string"))


def test_a_composed_example_says_what_the_reference_is_not() -> None:
    shown = examples(words(ROWS), ROWS[0], composed=True)
    assert shown == ["in navy blue", "for women", "flip flops instead", "in red"]


def test_of_an_unknown_reference_no_other_kind_is_asked() -> None:
    assert examples(words(ROWS), composed=True) == [
        "in black",
        "for men",
        "in navy blue",
        "for women",
    ]


def test_without_a_reference_an_example_names_what_there_is() -> None:
    assert examples(words(ROWS), composed=False) == ["black shirts", "red sandals"]


def test_a_column_of_colours_is_known_by_what_it_holds() -> None:
    rows = [{"shade": value} for value in ("Light Red", "Blue", "Mint")] * 4
    assert examples(words(rows), {"shade": "Blue"}, composed=True) == ["in light red", "in mint"]


def test_what_a_table_writes_in_two_ways_is_said_once() -> None:
    rows = [
        {"colour": colour, "type": kind}
        for colour, kind in (("Red", "Shirt"), ("red", "shirt"), ("Blue", "Hat"))
    ] * 4
    assert examples(words(rows), composed=False) == ["red shirt", "blue hat"]
    assert sorted(examples(words(rows), rows[2], composed=True)) == ["in red", "shirt instead"]


def test_without_metadata_there_are_no_examples() -> None:
    assert examples(vocabulary([], {}), composed=True) == []
    assert examples(vocabulary([], {}), composed=False) == []


def test_values_are_said_as_in_a_sentence() -> None:
    assert [spoken(each) for each in ("Navy Blue", "Red", "T-shirt", "iPad", "LED")] == [
        "navy blue",
        "red",
        "t-shirt",
        "iPad",
        "LED",
    ]

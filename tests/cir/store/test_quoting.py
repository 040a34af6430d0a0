"""Texts of every kind, in values and in column names, find exactly their own rows."""

import itertools
import random
import unicodedata

import pytest

from cir.errors import UsageError
from cir.store import MilvusIndex, MilvusStore, image_id
from cir.store.columns import folded
from cir.store.filters import Condition, canonical, parse_where
from tests.cir.store.samples import row, unit

ALPHABET = [
    *"ab'\"\\%_n\n\r\t\0\x01\x7f\x85{}[]()=<>!#$@/~^&|*?;,. -+0u",
    "\\n",
    "\\u0041",
    "\\x41",
    "\u2028",
    "é",
    "e\u0301",
    "日",
    "😀",
    "\U000f0000",
    "\U000f000000000a",
    "\ud800",
    "\udcff",
]
COUNT = 150


def texts(seed: int) -> list[str]:
    """Different random texts, and some very long ones."""
    chooser = random.Random(seed)
    found = {"".join(chooser.choices(ALPHABET, k=chooser.randint(1, 8))) for _ in range(COUNT)}
    # Each pair of neighbours in the alphabet once, where escapes go wrong.
    found |= {first + second for first, second in itertools.pairwise(ALPHABET)}
    return [*sorted(found), "x" * 20_000, "\\" * 5_000, '"' * 5_000, "日" * 5_000, "😀\n" * 2_000]


def test_every_text_finds_its_own_row_and_no_other(index: MilvusIndex) -> None:
    values = texts(seed=0)
    index.upsert([row(f"{n}", metadata={"colour": text}) for n, text in enumerate(values)])
    for text in values:
        where = [Condition("colour", "=", text)]
        hits = index.search_vectors(unit(1.0)[None], 5, where=where)[0]
        same = [m for m, other in enumerate(values) if canonical(other) == canonical(text)]
        assert sorted(hit.path for hit in hits) == sorted(map(str, same))
    for text in values[:10]:
        where = [Condition("colour", "!=", text)]
        same = [m for m, other in enumerate(values) if canonical(other) == canonical(text)]
        hits = index.search_vectors(unit(1.0)[None], 1000, where=where)[0]
        assert len(hits) == len(values) - len(same)


def test_several_texts_find_their_rows_and_no_other(index: MilvusIndex) -> None:
    values = texts(seed=3)
    index.upsert([row(f"{n}", metadata={"colour": text}) for n, text in enumerate(values)])
    for start in range(0, len(values), 7):
        wanted = {unicodedata.normalize("NFC", text) for text in values[start : start + 7]}
        where = [Condition("colour", "in", tuple(values[start : start + 7]))]
        hits = index.search_vectors(unit(1.0)[None], 1000, where=where)[0]
        found = {unicodedata.normalize("NFC", hit.metadata["colour"]) for hit in hits}
        assert found == wanted


def test_what_texts_contain_is_found_in_any_letter_case(index: MilvusIndex) -> None:
    values = texts(seed=4)
    index.upsert([row(f"{n}", metadata={"colour": text}) for n, text in enumerate(values)])
    for part in [*ALPHABET, "N", "B'", '"%', "\\%", "É", "_", "zz", "x" * 9_000]:
        where = [Condition("colour", "~", part)]
        hits = index.search_vectors(unit(1.0)[None], 1000, where=where)[0]
        expected = [text for text in values if folded(part) in folded(text)]
        assert sorted(hit.metadata["colour"] for hit in hits) == sorted(expected), part


def test_every_text_can_name_a_column(index: MilvusIndex, store: MilvusStore) -> None:
    names = [name for name in texts(seed=1) if len(name) < 100][::4]
    before = index.info.columns
    index.update(columns=dict.fromkeys(names, "string"))
    try:
        index.upsert([row(f"{n}", metadata={name: "x"}) for n, name in enumerate(names)])
        assert list(store.open(index.info.name).info.columns) == names
        for n, name in enumerate(names):
            where = [Condition(name, "=", "x")]
            hits = index.search_vectors(unit(1.0)[None], 3, where=where)[0]
            assert [(hit.path, hit.metadata) for hit in hits] == [(f"{n}", {name: "x"})]
    finally:
        index.update(columns=before)


def test_typed_conditions_survive_any_value(index: MilvusIndex) -> None:
    """What a person types is one condition, whatever it holds."""
    values = [text for text in texts(seed=2) if text.strip() and text[0] != "=" and len(text) < 100]
    index.upsert([row("other", metadata={"colour": "other"})])
    for text in values:
        try:
            condition = parse_where(f"colour={text}", index.info.columns)
        except UsageError:
            pytest.fail(f"refused: {text!r}")
        assert index.search_vectors(unit(1.0)[None], 3, where=[condition])[0] == []
    assert index.get([image_id("other")])

"""Conditions as people type them."""

import contextlib
import subprocess
import sys
import time

import pytest

from cir.errors import UsageError
from cir.store.filters import (
    Condition,
    conjunction,
    expression,
    key_range,
    keys_in,
    parse_where,
    quote,
    spelling,
)
from cir.store.records import ColumnType

COLUMNS: dict[str, ColumnType] = {
    "baseColour": "string",
    "year": "integer",
    "price": "number",
    "on sale": "boolean",
    "on": "string",
    "a=b": "string",
}


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("baseColour=Red", Condition("baseColour", "=", "Red")),
        ("baseColour==Red", Condition("baseColour", "=", "Red")),
        ("  baseColour  !=  Navy Blue ", Condition("baseColour", "!=", "Navy Blue")),
        ('baseColour="Red "', Condition("baseColour", "=", "Red ")),
        ("baseColour='Levi's 501'", Condition("baseColour", "=", "Levi's 501")),
        ('baseColour=""', Condition("baseColour", "=", "")),
        ('baseColour="', Condition("baseColour", "=", '"')),
        ("baseColour=a=b>c", Condition("baseColour", "=", "a=b>c")),
        ("year>=2011", Condition("year", ">=", 2011)),
        ("year<-5", Condition("year", "<", -5)),
        ("price<=3", Condition("price", "<=", 3.0)),
        ("price>1e3", Condition("price", ">", 1000.0)),
        ("on sale=yes", Condition("on sale", "=", True)),
        ("on sale != False", Condition("on sale", "!=", False)),
        ("on=sale", Condition("on", "=", "sale")),
        ("a=b=c", Condition("a=b", "=", "c")),
        ("baseColour in Red, Navy Blue", Condition("baseColour", "in", ("Red", "Navy Blue"))),
        ("baseColour IN Red,,Red, ", Condition("baseColour", "in", ("Red",))),
        (
            'baseColour in "Black, White",3" wide,"a""b" ,""',
            Condition("baseColour", "in", ("Black, White", '3" wide', 'a"b', "")),
        ),
        ('baseColour in "a"b, c', Condition("baseColour", "in", ('"a"b', "c"))),
        ("year in 2011, -5", Condition("year", "in", (2011, -5))),
        ("on sale in yes", Condition("on sale", "in", (True,))),
        ("on in in", Condition("on", "in", ("in",))),
        ("baseColour=in Red", Condition("baseColour", "=", "in Red")),
        ("baseColour~ShIrt", Condition("baseColour", "~", "ShIrt")),
        ('baseColour ~ " red"', Condition("baseColour", "~", " red")),
    ],
)
def test_a_condition_is_read(text: str, condition: Condition) -> None:
    assert parse_where(text, COLUMNS) == condition
    assert type(parse_where(text, COLUMNS).value) is type(condition.value)
    assert parse_where(spelling(condition), COLUMNS) == condition


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a condition"),
        ("red", "is not a condition"),
        ("=red", "is not a condition"),
        ("baseColour", "is not a condition"),
        ("baseColour=", 'has no value after =. For the empty text write baseColour = ""'),
        ("year=", "has no value after =.$"),
        ("baseColour~", "has no value after ~.$"),
        ("baseColour in", "has no value after in"),
        ("baseColour in ,,", "has no value after in"),
        ("baseColourin Red", "is not a condition"),
        ("year in 2011, soon", 'Column year needs a whole number .*, not "soon"'),
        ("year~1", "holds whole numbers, and only text can contain"),
        ("basecolor=Red", 'Did you mean "baseColour"'),
        ("size=3", "The columns are: a=b, baseColour, on, on sale, price, year"),
        ("year>=abc", 'Column year needs a whole number .*, not "abc"'),
        ("year=2011.5", "needs a whole number"),
        (f"year={2**63}", "needs a whole number"),
        ("price=cheap", 'Column price needs a number, not "cheap"'),
        ("price=nan", "needs a number"),
        ("price=inf", "needs a number"),
        ("on sale=maybe", "needs true or false"),
        ("on sale>true", "use = or !="),
    ],
)
def test_what_is_no_condition_is_explained(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_where(text, COLUMNS)


def test_an_index_without_columns_says_so() -> None:
    with pytest.raises(UsageError, match="no metadata columns"):
        parse_where("year=1", {})


@pytest.mark.parametrize(
    "text", ["x" * 10**6, "x" * 60_000, "year=" + "9" * 60_000, "z" * 999 + "=1"]
)
def test_a_message_repeats_no_more_than_the_beginning_of_a_long_condition(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_where(text, {"year": "integer"})
    assert len(str(caught.value)) < 500


def test_a_message_shows_a_condition_of_this_index() -> None:
    asked: list[str | None] = []

    def example(column: str | None) -> str:
        asked.append(column)
        return f"{column or 'price'}<=9.5"

    with pytest.raises(UsageError, match=r"For example: price<=9\.5"):
        parse_where("red", COLUMNS, example)
    with pytest.raises(UsageError, match=r"For example: year<=9\.5"):
        parse_where("year=soon", COLUMNS, example)
    assert asked == [None, "year"]


@pytest.mark.parametrize("filling", [" ", '"', ' "', '"a" ', ",a", '"",', " in "])
def test_a_long_condition_is_read_in_no_time(filling: str) -> None:
    begun = time.perf_counter()
    for start in ("on in ", "on", "z", "on~"):
        with contextlib.suppress(UsageError):
            parse_where(f"{start}{filling * (60_000 // len(filling))}x", COLUMNS)
    assert time.perf_counter() - begun < 2.0


def test_texts_are_asked_for_in_both_unicode_forms() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    for text in (composed, decomposed):
        for where, operator in (("on={}", "in"), ("on!={}", "not in"), ("on in {}", "in")):
            asked = expression([parse_where(where.format(text), COLUMNS)])
            assert f'meta["on"] {operator} [' in asked
            assert quote(composed) in asked and quote(decomposed) in asked


def test_conditions_join_with_and() -> None:
    conditions = [parse_where(text, COLUMNS) for text in ("year>=2011", "on sale=no")]
    assert expression(conditions) == '(meta["year"] >= 2011) and (meta["on sale"] == false)'
    assert expression([]) == conjunction(["", ""]) == ""


def test_literals_hold_no_line_break_and_no_open_quote() -> None:
    assert quote('a"b\\c') == '"a\\"b\\\\c"'
    assert not set(quote("a\nb\rc")) & set("\r\n")
    quote("\ud800 \udcff").encode("utf-8")


def test_only_hex_keys_enter_an_expression() -> None:
    key = "0123456789abcdef" * 2
    assert keys_in("id", [key]) == f'id in ["{key}"]'
    assert key_range("a", "ag") == 'id >= "a" and id < "ag"'
    for bad in ("", "x", key + '"', key.upper(), key + "\n"):
        with pytest.raises(ValueError, match="32 hex digits"):
            keys_in("id", [bad])


def test_importing_the_rooms_loads_no_pymilvus() -> None:
    for module in ("cir.store.filters", "cir.store"):
        code = f"import sys, {module}; sys.exit('pymilvus' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    names = "MilvusIndex, MilvusStore"
    code = f"import sys; from cir.store import {names}; sys.exit('pymilvus' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

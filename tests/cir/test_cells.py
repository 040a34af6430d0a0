"""Cells that no spreadsheet takes for a formula, and what they were before."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cir.cells import original_cell, safe_cell

FORMULAS = [
    "=1+1",
    "+1",
    "@SUM(A1)",
    "-1+2",
    "\t=1",
    "\r=1",
    "=",
    "-",
    "\uff1d1",
    "+49 30 1",
    "-1.5e",
]
TEXTS = [
    "red",
    "",
    "a=b",
    "'quoted'",
    "it's",
    " =1",
    "名",
    "-1.5",
    "-.5",
    "-1e-07",
    "-3",
    "1.5",
    "'",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_become_text(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", TEXTS)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert safe_cell(text) == text == original_cell(text)


@pytest.mark.parametrize("value", [-1.5, -3, 0, None, True, float("-inf")])
def test_values_that_are_no_text_stay(value: float | None) -> None:
    assert safe_cell(value) is value


@example("'=1")
@example("''-1")
@given(st.text("'=+-@\t\r01.ea ", max_size=8) | st.text(max_size=8))
def test_what_was_written_is_read_back(text: str) -> None:
    cell = safe_cell(text)
    assert original_cell(cell) == text
    assert cell[:1] not in {"=", "+", "@", "\t", "\r"}

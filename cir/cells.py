"""Cells of tables that people open in a spreadsheet: text there must not turn into a formula."""

import re
from typing import TypeVar

T = TypeVar("T")

# What spreadsheets take for the beginning of a formula, also in the wide forms of East Asian ones.
_FORMULA = re.compile("'*[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"-[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?")


def safe_cell(value: T) -> T | str:
    """The value as a cell of a CSV file: text that begins like a formula gets an apostrophe.

    Numbers stay numbers, `-1.5` too; `original_cell` gives back the text. The usual defence, see
    OWASP's page on CSV injection.
    """
    return f"'{value}" if isinstance(value, str) and _is_risky(value) else value


def original_cell(text: str) -> str:
    """What `safe_cell` made this cell of."""
    return text[1:] if text.startswith("'") and _is_risky(text[1:]) else text


def _is_risky(text: str) -> bool:
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)

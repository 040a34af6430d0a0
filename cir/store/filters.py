"""Conditions on metadata, such as "baseColour in Red, Blue", as checked Milvus expressions.

The only place that writes a Milvus expression.
"""

import difflib
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from cir.errors import UsageError
from cir.store.records import ColumnType
from cir.store.wire import INT64, MAX_METADATA_BYTES, encode_text, is_key

Operator = Literal["=", "!=", ">=", "<=", ">", "<", "in", "~"]
Value = str | int | float | bool

# Longer operators first, so that ">=" is not read as ">" and a value that begins with "=".
_OPERATOR = re.compile(r"!=|>=|<=|==|=|>|<|~|(?<=\s)in(?=\s|$)", re.IGNORECASE)
_QUOTED = re.compile(r'\s*"((?:[^"]|"")*)"\s*(?:,|$)')
_BARE = re.compile(r"[^\W_](?:[\w .+/&:-]*\w)?")
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}
_KINDS = {"integer": "whole numbers", "number": "numbers", "boolean": "true or false"}
_SHOWN = 200  # characters of what was typed, in a message
_LONGEST_NORMALISED = 1_024  # normalising may take the square of a text's length

Example = Callable[[str | None], str]
"""Gives a condition for a message, on a certain column or on any; "" for none."""


@dataclass(frozen=True)
class Condition:
    """A comparison of a metadata column with a value of the column's type.

    "in" holds where the row's value is one of a tuple; "~" where its text contains the value, in
    whatever letter case. Rows without a value meet "!=" and no other operator. All other
    comparisons of texts are exact, letter case included; "<" and its kin order them by code points.
    Texts that differ in their Unicode form alone (an é typed as one character or as two) are equal.
    """

    column: str
    operator: Operator
    value: Value | tuple[Value, ...]


def parse_where(
    text: str, columns: Mapping[str, ColumnType], example: Example = lambda column: ""
) -> Condition:
    """The condition that a text such as `year>=2011` or `name = "Levi's 501"` states.

    Whitespace around the operator and one pair of quotes around the value are left out. After `in`
    stand values with commas between them, each that holds a comma in double quotes (and a double
    quote in it twice).

    Args:
        text: a column, an operator and a value.
        columns: metadata columns of the index and their types.
        example: asked for what a message shows.

    Raises:
        UsageError: the text is no condition, the column is unknown, the value is of another type,
            or the operator has no meaning for the type.
    """
    text = text.strip()
    if len(text) > MAX_METADATA_BYTES:
        raise UsageError(
            f'The condition "{_short(text)}" has {len(text):,} characters; no value has more than '
            f"{MAX_METADATA_BYTES:,} bytes."
        )
    column, operator, rest = _split(text, columns, example)
    kind = columns[column]
    written = rest.strip()
    texts = _listed(written) if operator == "in" else [_unquoted(written)] if written else []
    if not texts:
        exact = kind == "string" and operator in ("=", "!=", "in")
        empty = f' For the empty text write {column} {operator} ""' if exact else ""
        raise UsageError(f'"{_short(text)}" has no value after {operator}.{empty}')
    if operator == "~" and kind != "string":
        raise UsageError(
            f'"{_short(text)}": column {column} holds {_KINDS[kind]}, and only text can contain '
            f"something.{_for_example(example, column)}"
        )
    values = tuple(dict.fromkeys(_value(column, kind, each, example) for each in texts))
    if operator == "in":
        return Condition(column, operator, values)
    value = values[0]
    if isinstance(value, bool) and operator not in ("=", "!="):
        raise UsageError(f'"{_short(text)}": column {column} is true or false; use = or !=.')
    return Condition(column, operator, value)


def spelling(condition: Condition) -> str:
    """The text that `parse_where` reads as this condition."""
    if isinstance(condition.value, tuple):
        return f"{condition.column} in {', '.join(map(_listing, condition.value))}"
    return f"{condition.column}{condition.operator}{_spelled(condition.value)}"


def canonical(text: str) -> str:
    """The text in Unicode's form NFC, in which it is compared; very long texts stay as they are."""
    if len(text) > _LONGEST_NORMALISED:
        return text
    return unicodedata.normalize("NFC", text)


def expression(conditions: Iterable[Condition]) -> str:
    """A Milvus expression that all the conditions must meet; "" for none.

    Raises:
        ValueError: one has the operator "~", which Milvus cannot tell without letter case: the
            index names the rows instead.
    """
    return conjunction(map(_comparison, conditions))


def _comparison(condition: Condition) -> str:
    field, operator, value = f"meta[{quote(condition.column)}]", condition.operator, condition.value
    if operator == "~":
        raise ValueError("a condition with ~ is no expression")
    values = value if isinstance(value, tuple) else (value,)
    if operator in ("=", "!=", "in"):
        forms = list(dict.fromkeys(form for each in values for form in _forms(each)))
        if operator == "in" or len(forms) > 1:
            listed = ", ".join(map(_literal, forms))
            return f"{field} {'not in' if operator == '!=' else 'in'} [{listed}]"
    return f"{field} {'==' if operator == '=' else operator} {_literal(values[0])}"


def _forms(value: Value) -> list[Value]:
    """A value in all forms in which a row may hold it: those of Unicode, for a text."""
    if not isinstance(value, str) or value.isascii() or len(value) > _LONGEST_NORMALISED:
        return [value]
    return [value, *(unicodedata.normalize(form, value) for form in ("NFC", "NFD"))]


def conjunction(parts: Iterable[str]) -> str:
    """The expressions joined by "and", leaving out empty ones."""
    return " and ".join(f"({part})" for part in parts if part)


def keys_in(field: str, keys: Sequence[str]) -> str:
    """An expression for rows whose `field`, "id" or "content_hash", is one of the hex keys.

    Raises:
        ValueError: a key is not 32 hex digits.
    """
    return f"{field} in [{_quoted(keys)}]"


def ids_among(ids: Sequence[str], others: Sequence[str]) -> str:
    """An expression for the rows with these ids, where `others` are the ids of all other rows."""
    if not ids:
        return f"id == {quote('')}"  # no row; Milvus Lite takes no empty list
    return keys_in("id", ids) if len(ids) <= len(others) else f"id not in [{_quoted(others)}]"


def key_range(low: str, high: str | None) -> str:
    """An expression for rows with `low` <= id, and id < `high` unless that is None."""
    upper = f" and id < {quote(high)}" if high is not None else ""
    return f"id >= {quote(low)}{upper}"


def not_empty(field: str) -> str:
    """An expression for rows whose text field is not ""."""
    return f"{field} != {quote('')}"


def quote(text: str) -> str:
    """A Milvus string literal for any text, read alike by Milvus Lite and by servers.

    Only the backslash and the double quote are escaped: Milvus Lite reads no other escape.
    """
    escaped = encode_text(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value)
    return repr(value)


def _quoted(keys: Sequence[str]) -> str:
    for key in keys:
        if not is_key(key):
            raise ValueError(f"not a key of 32 hex digits: {key!r:.80}")
    return ", ".join(map(quote, keys))


def _split(
    text: str, columns: Mapping[str, ColumnType], example: Example
) -> tuple[str, Operator, str]:
    """A known column at the start of the text, the operator, and what follows."""
    for column in sorted(columns, key=len, reverse=True):
        if not text.startswith(column):
            continue
        after = len(text) - len(text[len(column) :].lstrip())
        match = _OPERATOR.match(text, after)
        if match is not None:
            return column, _operator(match), text[match.end() :]
    match = _OPERATOR.search(text)
    if match is None or not match.start():
        raise UsageError(
            f'"{_short(text)}" is not a condition. Write a column, then a value after one of = != '
            f">= <= > < or ~ (contains), or several after in.{_for_example(example, None)}"
        )
    raise UsageError(_unknown_column(text[: match.start()].strip(), columns))


def _operator(match: re.Match[str]) -> Operator:
    found = match[0].lower()
    return cast(Operator, "=" if found == "==" else found)


def _for_example(example: Example, column: str | None) -> str:
    shown = example(column)
    return f" For example: {shown}" if shown else ""


def _listed(text: str) -> list[str]:
    """The values of a list with commas; empty ones count only where they are quoted."""
    found: list[str] = []
    at = 0
    while at < len(text):
        quoted = _QUOTED.match(text, at)
        if quoted is not None:
            found.append(quoted[1].replace('""', '"'))
            at = quoted.end()
            continue
        bare, _, _ = text[at:].partition(",")
        found += [bare.strip()] if bare.strip() else []
        at += len(bare) + 1
    return found


def _listing(value: Value) -> str:
    """A value as it stands after `in`."""
    if not isinstance(value, str) or _BARE.fullmatch(value):
        return _spelled(value)
    doubled = value.replace('"', '""')
    return f'"{doubled}"'


def _spelled(value: Value | tuple[Value, ...]) -> str:
    if isinstance(value, str) and not _BARE.fullmatch(value):
        return f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unknown_column(name: str, columns: Mapping[str, ColumnType]) -> str:
    if not columns:
        return f'There is no column "{_short(name)}": this index has no metadata columns.'
    by_lower = {column.lower(): column for column in columns}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    hint = f' Did you mean "{by_lower[close[0]]}"?' if close else ""
    return (
        f'There is no column "{_short(name)}".{hint} The columns are: {", ".join(sorted(columns))}.'
    )


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def _value(column: str, kind: ColumnType, text: str, example: Example) -> Value:
    if kind == "string":
        return text
    value: Value | None
    if kind == "boolean":
        value, wanted = _BOOLEANS.get(text.lower()), "true or false"
    elif kind == "integer":
        value, wanted = _integer(text), "a whole number (of 64 bits)"
    else:
        value, wanted = _number(text), "a number"
    if value is None:
        raise UsageError(
            f'Column {column} needs {wanted}, not "{_short(text)}".{_for_example(example, column)}'
        )
    return cast(Value, value)


def _integer(text: str) -> int | None:
    try:
        value = int(text)
    except ValueError:
        return None
    return value if -INT64 < value < INT64 else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None

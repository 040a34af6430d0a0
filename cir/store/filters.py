"""Conditions on metadata, such as "baseColour=Red", as checked Milvus expressions.

The only place that writes a Milvus expression.
"""

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from cir.errors import UsageError
from cir.store.records import ColumnType
from cir.store.wire import INT64, MAX_METADATA_BYTES, encode_text, is_key

Operator = Literal["=", "!=", ">=", "<=", ">", "<"]
Value = str | int | float | bool

# Longer operators first, so that ">=" is not read as ">" and a value that begins with "=".
_SPELLINGS: dict[str, Operator] = {
    "!=": "!=",
    ">=": ">=",
    "<=": "<=",
    "==": "=",
    "=": "=",
    ">": ">",
    "<": "<",
}
_OPERATOR = re.compile("|".join(re.escape(spelling) for spelling in _SPELLINGS))
_BOOLEANS = {"true": True, "yes": True, "false": False, "no": False}
_SHOWN = 200  # characters of what was typed, in a message
_EXAMPLE = 'Write a column, one of = != >= <= > <, and a value, for example "baseColour=Red".'


@dataclass(frozen=True)
class Condition:
    """A comparison of a metadata column with a value of the column's type.

    Rows without a value meet "!=" and no other operator. Texts compare exactly, letter case
    included; "<" and its kin order them by code points.
    """

    column: str
    operator: Operator
    value: Value


def parse_where(text: str, columns: Mapping[str, ColumnType]) -> Condition:
    """The condition that a text such as `year>=2011` or `name = "Levi's 501"` states.

    Whitespace around the operator and one pair of quotes around the value are left out.

    Args:
        text: a column, an operator and a value.
        columns: metadata columns of the index and their types.

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
    column, rest = _split_column(text, columns)
    match = _OPERATOR.match(rest)
    if match is None:
        raise UsageError(f'"{_short(text)}" is not a condition. {_EXAMPLE}')
    operator = _SPELLINGS[match[0]]
    written = rest[match.end() :].strip()
    if not written:
        raise UsageError(
            f'"{text}" has no value after {match[0]}. '
            f'For the empty text write {column}{operator}"".'
        )
    value = _value(column, columns[column], _unquoted(written))
    if isinstance(value, bool) and operator not in ("=", "!="):
        raise UsageError(f'"{_short(text)}": column {column} is true or false; use = or !=.')
    return Condition(column, operator, value)


def expression(conditions: Iterable[Condition]) -> str:
    """A Milvus expression that all the conditions must meet; "" for none."""
    return conjunction(
        f"meta[{quote(condition.column)}] "
        f"{'==' if condition.operator == '=' else condition.operator} {_literal(condition.value)}"
        for condition in conditions
    )


def conjunction(parts: Iterable[str]) -> str:
    """The expressions joined by "and", leaving out empty ones."""
    return " and ".join(f"({part})" for part in parts if part)


def keys_in(field: str, keys: Sequence[str]) -> str:
    """An expression for rows whose `field`, "id" or "content_hash", is one of the hex keys.

    Raises:
        ValueError: a key is not 32 hex digits.
    """
    for key in keys:
        if not is_key(key):
            raise ValueError(f"not a key of 32 hex digits: {key!r:.80}")
    return f"{field} in [{', '.join(quote(key) for key in keys)}]"


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


def _split_column(text: str, columns: Mapping[str, ColumnType]) -> tuple[str, str]:
    """A known column at the start of the text, and the rest from the operator on."""
    for column in sorted(columns, key=len, reverse=True):
        rest = text[len(column) :].lstrip()
        if text.startswith(column) and _OPERATOR.match(rest):
            return column, rest
    match = _OPERATOR.search(text)
    if match is None or not match.start():
        raise UsageError(f'"{_short(text)}" is not a condition. {_EXAMPLE}')
    raise UsageError(_unknown_column(text[: match.start()].strip(), columns))


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


def _value(column: str, kind: ColumnType, text: str) -> Value:
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
        raise UsageError(f'Column {column} needs {wanted}, not "{_short(text)}".')
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

"""Example instructions of an index's own words: what could be said about the reference at hand."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cir.store import ColumnType, ImageRecord, Metadata

Role = Literal["colour", "person", "look", "kind"]
# Words of a column's name that tell what it holds.
_NAMES: Mapping[Role, frozenset[str]] = {
    "colour": frozenset(("colour", "colours", "color", "colors", "farbe", "couleur")),
    "person": frozenset(("gender", "sex", "audience", "person", "people", "wearer")),
    "look": frozenset(("pattern", "print", "material", "fabric", "texture", "finish")),
    "kind": frozenset(("type", "kind", "category", "class", "garment", "product", "object")),
}
_COLOUR = re.compile(
    r"\b(beige|black|blue|brown|gold|green|gr[ae]y|khaki|maroon|navy|orange|pink|purple|red|silver|"
    r"tan|teal|turquoise|violet|white|yellow)\b",
    re.IGNORECASE,
)
_VAGUE = frozenset(("", "na", "n/a", "none", "null", "nan", "other", "others", "unknown", "unisex"))
_PHRASES: Mapping[Role, str] = {
    "colour": "in {}",
    "person": "for {}",
    "look": "{}",
    "kind": "{} instead",
}
_MOST_KINDS = 80  # values of a column; one with more is for reading
_MOST_LETTERS = 24  # of a value: a longer one is a sentence
_WORD = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+")


@dataclass(frozen=True)
class Vocabulary:
    """What an index's metadata says of its images, common words first.

    Attributes:
        values: for each role that a column has, the column and its values.
        pairs: the commonest colours of the commonest kinds: "black shirts".
    """

    values: Mapping[Role, tuple[str, tuple[str, ...]]]
    pairs: tuple[str, ...] = ()


def vocabulary(records: Iterable[ImageRecord], columns: Mapping[str, ColumnType]) -> Vocabulary:
    """The words of these records; a column's role is told by its name and by what it holds."""
    rows = [record.metadata for record in records]
    counts: dict[str, Counter[str]] = {}
    for column, kind in columns.items():
        if kind == "string":
            said = (str(row[column]).strip() for row in rows if column in row)
            counts[column] = Counter(value for value in said if _is_telling(value))
    few = {
        column: found
        for column, found in counts.items()
        if 1 < len(found) <= min(_MOST_KINDS, max(2, len(rows) // 2))
    }
    values: dict[Role, tuple[str, tuple[str, ...]]] = {}
    for role in _NAMES:
        of_role = [column for column in few if _has_role(column, few[column], role)]
        taken = {column for column, _ in values.values()}
        left = [column for column in of_role if column not in taken]
        if left:  # of a category and its subcategory, the finer one
            column = max(left, key=lambda each: len(few[each]))
            values[role] = column, tuple(value for value, _ in few[column].most_common())
    return Vocabulary(values, _pairs(rows, values))


def examples(
    words: Vocabulary, reference: Metadata | None = None, *, composed: bool, limit: int = 4
) -> list[str]:
    """Instructions to begin with, at most `limit`, the most telling first.

    Args:
        words: of the index.
        reference: the metadata of the reference image, None where it is not known: no example says
            what the reference shows already.
        composed: whether there is a reference image; without one, the examples say what to look
            for.
    """
    if not composed:
        return list(words.pairs[:limit])
    known = reference or {}
    offers: list[list[str]] = []
    for role, phrase in _PHRASES.items():
        column, values = words.values.get(role, ("", ()))
        has = str(known.get(column, "")).casefold()
        # Nobody asks for another kind of thing before it is known which one this is.
        if has or role != "kind":
            others = [value for value in values if value.casefold() != has]
            offers.append([phrase.format(spoken(value)) for value in others])
    # One of each role, then the seconds: colours alone would hide what else can be said.
    rounds = [offer[at] for at in range(limit) for offer in offers if at < len(offer)]
    return list(dict.fromkeys(rounds))[:limit]


def spoken(value: str) -> str:
    """A metadata value as people write it in a sentence: "Navy Blue" is "navy blue"."""
    return value.lower() if value.istitle() or value[:1] + value[1:].lower() == value else value


def _is_telling(value: str) -> bool:
    return value.casefold() not in _VAGUE and len(value) <= _MOST_LETTERS


def _has_role(column: str, found: Counter[str], role: Role) -> bool:
    named = {word.lower() for word in _WORD.findall(column)}
    if named & _NAMES[role]:
        return True
    if role != "colour":
        return False
    common = [value for value, _ in found.most_common(10)]
    return sum(bool(_COLOUR.search(value)) for value in common) > len(common) / 2


def _pairs(
    rows: Sequence[Metadata], values: Mapping[Role, tuple[str, tuple[str, ...]]]
) -> tuple[str, ...]:
    """Colour and kind of images that there are; each colour and each kind once."""
    if "kind" not in values:
        return _all_spoken(values["colour"][1]) if "colour" in values else ()
    kind = values["kind"][0]
    if "colour" not in values:
        return _all_spoken(values["kind"][1])
    colour = values["colour"][0]
    together = Counter(
        (str(row[colour]), str(row[kind]))
        for row in rows
        if _is_telling(str(row.get(colour, ""))) and _is_telling(str(row.get(kind, "")))
    )
    pairs: list[str] = []
    seen: set[str] = set()
    for (shade, thing), _ in together.most_common():
        said = {spoken(shade), spoken(thing)}
        if not said & seen:
            seen |= said
            pairs.append(f"{spoken(shade)} {spoken(thing)}")
    return tuple(pairs)


def _all_spoken(values: Sequence[str]) -> tuple[str, ...]:
    """What people say, once: a table may write one thing in several ways."""
    return tuple(dict.fromkeys(map(spoken, values)))

"""What people say when they want a garment with one attribute, or two, changed."""

from collections.abc import Mapping, Sequence

COLOUR = (
    "in {c}", "the same in {c}", "make it {c}", "do you have this in {c}?", "this {t} but {c}",
    "{c} instead", "I'd like it in {c}", "is there a {c} version?", "same {t}, other colour: {c}",
    "change the colour to {c}",
)  # fmt: skip
GARMENT = (
    "{a} in the same colour and pattern", "as {a}", "{a} to match", "the same design but {a}",
    "I need {a} like this", "make it {a}", "{a} in this colour",
    "do you have {a} that goes with it?",
)  # fmt: skip
PATTERN: Mapping[str, Sequence[str]] = {
    "solid": (
        "plain", "without the pattern", "a plain one", "the same but plain", "in one solid colour",
        "nothing on it, just plain {c}",
    ),
    "striped": (
        "with stripes", "striped", "with stripes instead", "a striped one", "the same but striped",
        "make it stripy",
    ),
    "checked": (
        "checked", "with checks", "in plaid", "a checked one", "the same {t} but checked",
        "with a check pattern instead",
    ),
    "polka dot": (
        "with polka dots", "dotted", "with dots instead", "a polka dot {t}",
        "the same but with polka dots",
    ),
    "floral": (
        "with flowers", "floral", "a floral {t}", "with a floral print",
        "the same but with flowers", "with flowers instead",
    ),
    "printed": (
        "with a print", "with a graphic on the front", "a printed one", "with a printed motif",
    ),
    "colour-block": (
        "in two colours", "colour-blocked", "with a block of another colour at the top",
        "a two-tone one",
    ),
}  # fmt: skip
SLEEVE: Mapping[str, Sequence[str]] = {
    "sleeveless": (
        "without sleeves", "sleeveless", "the same {t} without sleeves", "a sleeveless one",
    ),
    "short": (
        "with short sleeves", "short-sleeved", "the same but with short sleeves",
        "a short-sleeved one",
    ),
    "long": (
        "with long sleeves", "long-sleeved", "the same but with long sleeves", "a long-sleeved one",
    ),
}  # fmt: skip
NECKLINE: Mapping[str, Sequence[str]] = {
    "crew": (
        "with a crew neck",
        "round neck",
        "with a round neckline",
        "the same with a crew neck",
    ),
    "v-neck": ("with a v-neck", "v-neck", "the same but v-neck", "with a v-shaped neckline"),
    "boat neck": ("with a boat neck", "boat neck", "with a wide, shallow neckline"),
    "polo": ("with a polo collar", "a polo shirt like this", "polo", "with a collar and buttons"),
    "collar": ("with a collar", "the same with a collar", "a collared one"),
    "hood": ("with a hood", "hooded", "as a hoodie", "the same but with a hood"),
    "turtleneck": ("with a turtleneck", "turtleneck", "with a roll neck", "with a high neck"),
}
LENGTH: Mapping[str, Sequence[str]] = {
    "mini": ("shorter, a mini", "mini", "make it a short one", "as a mini {t}", "a mini version"),
    "knee-length": ("knee-length", "to the knee", "make it knee-length", "down to the knees"),
    "maxi": ("a maxi", "make it a long one", "down to the ankles", "maxi length", "a long {t}"),
}
BRIEF: Mapping[str, Mapping[str, str]] = {
    "pattern": {
        "solid": "plain", "striped": "with stripes", "checked": "with checks",
        "polka dot": "with polka dots", "floral": "with flowers", "printed": "with a print",
        "colour-block": "colour-blocked",
    },
    "sleeve": {
        "sleeveless": "without sleeves", "short": "with short sleeves", "long": "with long sleeves",
    },
    "neckline": {
        "crew": "with a crew neck", "v-neck": "with a v-neck", "boat neck": "with a boat neck",
        "polo": "with a polo collar", "collar": "with a collar", "hood": "with a hood",
        "turtleneck": "with a turtleneck",
    },
    "length": {"mini": "mini", "knee-length": "knee-length", "maxi": "maxi"},
}  # fmt: skip
"""For wishes of two things at once."""
PAIRS = (
    "{x} and {y}", "in {x}, {y}", "the same {t} in {x}, {y}", "{x}, {y}", "make it {x} and {y}",
)  # fmt: skip
_PLURAL = frozenset({"trousers", "shorts"})


def instruction(garment: str, colour: str, changes: Mapping[str, str], place: int) -> str:
    """One way to say the changes.

    Args:
        garment, colour: of the reference.
        changes: attribute -> new value; one, or a colour and one other.
        place: chooses among the ways, any whole number from 0.
    """
    words = {"t": garment, "c": changes.get("colour", colour)}
    if len(changes) == 2:
        (other,) = changes.keys() - {"colour"}
        brief = BRIEF[other][changes[other]]
        return _choose(PAIRS, place).format(x=words["c"], y=brief, **words)
    ((attribute, value),) = changes.items()
    if attribute == "garment":
        return _choose(GARMENT, place).format(a=_with_article(value))
    if attribute == "colour":
        return _choose(COLOUR, place).format(**words)
    tables = {"pattern": PATTERN, "sleeve": SLEEVE, "neckline": NECKLINE, "length": LENGTH}
    return _choose(tables[attribute][value], place).format(**words)


def _with_article(garment: str) -> str:
    return garment if garment in _PLURAL else f"a {garment}"


def _choose(ways: Sequence[str], place: int) -> str:
    return ways[place % len(ways)]

"""The sample catalogue as data: which garments there are, and which combinations are kept aside."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

GARMENTS = (
    "t-shirt", "shirt", "top", "sweater", "sweatshirt", "jacket",
    "dress", "skirt", "trousers", "shorts", "handbag", "tote bag",
)  # fmt: skip
COLOURS = (
    "black", "white", "grey", "red", "navy blue", "blue", "green",
    "olive", "yellow", "pink", "purple", "brown", "beige",
)  # fmt: skip
PATTERNS = (
    "solid", "striped", "checked", "polka dot", "floral", "printed", "colour-block",
)  # fmt: skip
ATTRIBUTES = ("garment", "colour", "pattern", "sleeve", "neckline", "length")
"""What its pictures show of a garment; with its name, the columns of the catalogue's metadata."""


@dataclass(frozen=True)
class Design:
    """One garment of the catalogue.

    Attributes:
        id: its number, from 1; also the seed of what is drawn by chance.
        garment, colour, pattern: of `GARMENTS`, `COLOURS` and `PATTERNS`. The colour is that of the
            cloth's ground; what is printed or woven into it comes on top.
        sleeve: "sleeveless", "short", "long", or empty where a garment has none; likewise
        neckline: "crew", "v-neck", "boat neck", "polo", "collar", "hood" or "turtleneck", and
        length: "mini", "knee-length" or "maxi".
    """

    id: int
    garment: str
    colour: str
    pattern: str
    sleeve: str = ""
    neckline: str = ""
    length: str = ""

    @property
    def file(self) -> str:
        """The file name of its picture."""
        words = (self.garment, self.colour, self.pattern, self.sleeve, self.neckline, self.length)
        slug = "-".join(word.replace(" ", "-") for word in words if word)
        return f"{slug}-{self.id:04d}.jpg"

    @property
    def name(self) -> str:
        """What a shop would call it: "Red polka dot shirt, long sleeves, collar"."""
        pattern = "" if self.pattern == "solid" else self.pattern
        cloth = " ".join(word for word in (self.colour, pattern, self.garment) if word)
        sleeve = f"{self.sleeve} sleeves" if self.sleeve in {"short", "long"} else self.sleeve
        told = (cloth.capitalize(), sleeve, self.neckline, self.length)
        return ", ".join(word for word in told if word)

    @property
    def attributes(self) -> Mapping[str, str]:
        """The attributes that its picture shows, by name."""
        values = {name: str(getattr(self, name)) for name in ATTRIBUTES}
        return {name: value for name, value in values.items() if value}


_Cut = tuple[str, str, str]
"""Sleeve, neckline and length."""


@dataclass(frozen=True)
class _Line:
    """A garment's share of the catalogue: each cloth is made up in one range of cuts.

    Cuts of a range differ in one attribute, colours and patterns are crossed: so for most designs
    there is another that differs from it in just one respect.
    """

    garment: str
    colours: tuple[str, ...]
    patterns: tuple[str, ...]
    ranges: tuple[tuple[_Cut, ...], ...]


_BARE = ("", "", "")
_LINES = (
    _Line(
        "dress",
        ("red", "navy blue", "black", "green", "pink", "white", "yellow"),
        ("solid", "floral", "polka dot", "striped"),
        (
            (("sleeveless", "v-neck", "knee-length"), ("sleeveless", "v-neck", "maxi"),
             ("short", "v-neck", "knee-length")),
            (("short", "crew", "mini"), ("short", "crew", "knee-length"), ("long", "crew", "mini")),
            (("sleeveless", "boat neck", "mini"), ("sleeveless", "boat neck", "knee-length"),
             ("sleeveless", "crew", "mini")),
            (("long", "v-neck", "maxi"), ("short", "v-neck", "maxi"), ("long", "crew", "maxi")),
        ),
    ),
    _Line(
        "t-shirt",
        ("white", "navy blue", "red", "grey", "green", "yellow", "black"),
        ("solid", "striped", "printed", "colour-block"),
        (
            (("short", "crew", ""), ("short", "v-neck", ""), ("long", "crew", "")),
            (("short", "crew", ""), ("short", "polo", ""), ("long", "polo", "")),
            (("short", "v-neck", ""), ("long", "v-neck", ""), ("long", "crew", "")),
        ),
    ),
    _Line(
        "shirt",
        ("blue", "white", "red", "olive", "navy blue", "pink", "black", "beige"),
        ("solid", "striped", "checked", "floral", "polka dot"),
        ((("long", "collar", ""), ("short", "collar", "")), (("long", "collar", ""),)),
    ),
    _Line(
        "top",
        ("pink", "white", "blue", "green", "black", "purple"),
        ("solid", "floral", "polka dot", "striped"),
        (
            (("sleeveless", "v-neck", ""), ("short", "v-neck", ""),
             ("sleeveless", "boat neck", "")),
            (("short", "boat neck", ""), ("sleeveless", "boat neck", "")),
            (("long", "v-neck", ""), ("short", "v-neck", ""), ("long", "boat neck", "")),
        ),
    ),
    _Line(
        "sweater",
        ("beige", "olive", "purple", "grey", "navy blue", "red", "brown"),
        ("solid", "striped", "colour-block"),
        (
            (("long", "crew", ""), ("long", "v-neck", "")),
            (("long", "crew", ""), ("long", "turtleneck", "")),
        ),
    ),
    _Line(
        "sweatshirt",
        ("grey", "black", "yellow", "blue", "green", "pink", "navy blue"),
        ("solid", "printed", "striped", "colour-block"),
        ((("long", "hood", ""), ("long", "crew", "")), (("long", "hood", ""),)),
    ),
    _Line(
        "jacket",
        ("olive", "blue", "black", "brown", "red", "beige", "grey"),
        ("solid", "checked", "colour-block"),
        ((("long", "collar", ""), ("long", "crew", "")), (("long", "collar", ""),)),
    ),
    _Line(
        "skirt",
        ("black", "pink", "yellow", "red", "green", "brown", "purple"),
        ("solid", "floral", "checked", "polka dot", "striped"),
        (
            (("", "", "mini"), ("", "", "knee-length")),
            (("", "", "knee-length"), ("", "", "maxi")),
            (("", "", "mini"), ("", "", "maxi")),
        ),
    ),
    _Line(
        "trousers",
        ("beige", "navy blue", "grey", "black", "olive", "brown", "white", "blue"),
        ("solid", "checked", "striped"),
        ((_BARE,),),
    ),
    _Line(
        "shorts",
        ("navy blue", "beige", "red", "olive", "blue", "pink", "white", "green"),
        ("solid", "striped", "checked", "floral"),
        ((_BARE,),),
    ),
    _Line(
        "handbag",
        ("brown", "black", "red", "green", "beige", "navy blue", "pink", "yellow"),
        ("solid", "colour-block"),
        ((_BARE,),),
    ),
    _Line(
        "tote bag",
        ("beige", "red", "black", "blue", "olive", "purple", "white"),
        ("solid", "striped", "floral"),
        ((_BARE,),),
    ),
)  # fmt: skip


@lru_cache(maxsize=1)
def catalogue() -> tuple[Design, ...]:
    """Every design, by number. No two have the same attributes."""
    parts = (part for line in _LINES for part in _designs_of(line))
    return tuple(Design(number, *part) for number, part in enumerate(parts, start=1))


def _designs_of(line: _Line) -> Iterator[tuple[str, str, str, str, str, str]]:
    start = GARMENTS.index(line.garment)
    for at, colour in enumerate(line.colours):
        for place, pattern in enumerate(line.patterns):
            # Plain cloth comes in every colour, of the others three in five.
            if pattern != "solid" and (2 * at + 3 * place + start) % 5 < 2:
                continue
            for cut in line.ranges[(at + place) % len(line.ranges)]:
                yield line.garment, colour, pattern, *cut


def kept_aside(design: Design) -> bool:
    """Whether the design's combination of garment, colour and pattern is kept for testing.

    About a third of the combinations are. Training may use drawings of the others, never of these,
    in no cut and no variation: every target of the labelled set has such a combination, so that its
    figures say what an encoder does with combinations it has not met.
    """
    places = (
        GARMENTS.index(design.garment),
        COLOURS.index(design.colour),
        PATTERNS.index(design.pattern),
    )
    return sum(places) % 3 == 0

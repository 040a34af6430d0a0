"""The hard labelled set of the sample catalogue: other wishes over the same drawings.

Its groups are kinds of wishes:

- "two changes": two attributes at once, in any pair.
- "lighter", "darker": the drawn cloth's mean lightness, CIELAB's L*, is at least `MARGIN` above, or
  below, the reference's. Any colour will do. "lightness and another" changes an attribute as well.
- "colourfulness": likewise the mean chroma, C*, of "less colourful" and "more colourful".
- "without": what the reference has is gone. Without its pattern a cloth is plain.
- "anything but": any colour, pattern or garment but the reference's. Another pattern is a pattern.
- "not in full": no drawing has what is asked and all that is kept.

Targets follow one rule: what is asked goes before what is kept. Of the drawings of which the whole
wish holds, those of the reference's garment count alone, if there are any and the wish does not
speak of the garment. Of these the targets are all that agree with the reference in the most of the
attributes of which the wish does not speak. In every group but "not in full" they agree in each
such attribute that both show. As in the gentle set (`cir.sample.labelled`), the combinations of all
targets are kept aside from training. Targets are at most one in `SPARSE` of the drawings of their
garment: so an encoder that finds the garment and nothing else has a target among its first ten
results in no more than half of the queries.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cir.sample.designs import ATTRIBUTES, COLOURS, GARMENTS, Design, catalogue, kept_aside
from cir.sample.drawing import cloth_of
from cir.sample.drawing.patterns import Spot
from cir.sample.labelled import SampleQuery
from cir.sample.palette import cielab

MARGIN = 15.0
"""Of lightness and of chroma, in units of CIELAB; a step that nobody overlooks."""
SPARSE = 15

_SHARES: Mapping[str, int] = {
    "two changes": 36,
    "lighter": 24,
    "darker": 24,
    "lightness and another": 40,
    "colourfulness": 24,
    "without": 28,
    "anything but": 48,
    "not in full": 56,
}
"""How many queries each group has, at most."""

_PATCH = 132  # pixels: three times the largest repeat of a pattern

# Attribute -> value -> what people say of a garment that has it, as what follows "one that".
_SAYINGS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "garment": {
        **{one: (f"is a {one}", f"is really a {one}") for one in GARMENTS},
        "trousers": ("is a pair of trousers", "has legs, so trousers"),
        "shorts": ("is a pair of shorts", "has short legs, so shorts"),
    },
    "colour": {one: (f"is {one}", f"comes in {one}", f"is {one} all over") for one in COLOURS},
    "pattern": {
        "solid": ("is plain all over", "has no pattern whatsoever", "is just one flat colour"),
        "striped": ("has lines all over", "has stripes on it", "is covered in stripes"),
        "checked": ("is chequered all over", "has a tartan look", "has squares all over"),
        "polka dot": ("has round spots", "is dotted all over", "is covered in little dots"),
        "floral": ("has flowers all over", "is covered in blossoms", "is full of flowers"),
        "printed": ("has some artwork on the front", "has a picture printed on the chest"),
        "colour-block": ("is half one colour, half another", "is made of two colours"),
    },
    "sleeve": {
        "sleeveless": ("leaves the arms bare", "has no sleeves at all"),
        "short": ("has sleeves that stop above the elbow", "has shorter sleeves"),
        "long": ("covers the arms", "has sleeves down to the wrists", "has longer sleeves"),
    },
    "neckline": {
        "crew": ("is round at the neck", "has a simple round neck"),
        "v-neck": ("comes to a point at the neck", "has a v at the front"),
        "boat neck": ("is cut straight from shoulder to shoulder", "has a wide boat neck"),
        "polo": ("has the collar of a polo shirt", "has a polo collar on it"),
        "collar": ("has a proper shirt collar", "has a turned-down collar"),
        "hood": ("has something to pull over the head", "has a hood on it"),
        "turtleneck": ("covers the neck", "goes right up to the chin"),
    },
    "length": {
        "mini": ("stops well above the knee", "shows more leg", "is quite short"),
        "knee-length": ("stops at the knee", "is of medium length"),
        "maxi": ("sweeps the floor", "covers the legs", "goes all the way down"),
    },
}  # fmt: skip
_ONE = (
    "find me one that {0}", "something that {0}", "close, but I want one that {0}", "{0}",
    "only if it {0}", "near enough, provided it {0}",
)  # fmt: skip
_TWO = (
    "{0} and {1}", "find me one that {0} and {1}", "something that {0} and {1}",
    "close, but the one I want {0} and {1}", "one that {1} and {0}", "{1}, {0}",
    "I'd take it as long as it {0} and {1}",
)  # fmt: skip
_LIGHTER = (
    "is lighter", "lighter in colour", "a few shades lighter", "less dark", "in a paler colour",
    "too dark for me", "something lighter", "is not as dark", "has a lighter colour", "much paler",
)  # fmt: skip
_DARKER = (
    "is darker", "darker in colour", "a few shades darker", "less pale", "in a deeper colour",
    "too pale for me", "something darker", "is not as light", "has a darker colour", "much darker",
)  # fmt: skip
_IS_LIGHTER = ("is lighter", "is a few shades lighter", "has a paler colour")
_IS_DARKER = ("is darker", "is a few shades darker", "has a deeper colour")
_LESS = (
    "less colourful", "more muted", "in a quieter colour", "not so loud", "too gaudy for me",
    "something more neutral", "is less vivid",
)  # fmt: skip
_MORE = (
    "more colourful", "more vivid", "in a livelier colour", "not so drab", "too dull for me",
    "something with more colour", "is more colourful",
)  # fmt: skip
_WITHOUT = (
    "take the {0} off", "I could do without the {0}", "skip the {0}", "not keen on the {0}",
    "get rid of the {0}", "leave off the {0}", "the same thing, but drop the {0}",
    "does not have the {0}", "who needs the {0}?",
)  # fmt: skip
_OTHER: Mapping[str, Sequence[str]] = {
    "colour": (
        "any colour as long as it isn't {0}", "{0} doesn't suit me", "I'm sick of {0}",
        "I look awful in {0}", "I've had enough of {0}", "something that is no longer {0}",
        "is of a colour other than {0}",
    ),
    "pattern": (
        "any pattern but {0}", "I'm tired of {0}, another pattern please",
        "has a pattern other than {0}", "{0} again? Show me some other pattern",
    ),
    "garment": (
        "the same look, but anything other than {0}", "I own enough {0}, what else is there?",
        "matches this and isn't one of those {0}", "everything like it that is not among {0}",
    ),
}  # fmt: skip

_PLURALS = {"dress": "dresses", "trousers": "trousers", "shorts": "shorts"}
_REPEATED = frozenset({"striped", "checked", "polka dot", "floral"})
_OPEN_NECKS = ("crew", "v-neck", "boat neck")
# What can be taken away -> its name, and the values that lack it.
_TAKEN: Mapping[tuple[str, str], tuple[str, Sequence[str]]] = {
    ("pattern", "striped"): ("stripes", ("solid",)),
    ("pattern", "checked"): ("checks", ("solid",)),
    ("pattern", "polka dot"): ("spots", ("solid",)),
    ("pattern", "floral"): ("flowers", ("solid",)),
    ("pattern", "printed"): ("picture", ("solid",)),
    ("pattern", "colour-block"): ("second colour", ("solid",)),
    ("sleeve", "short"): ("sleeves", ("sleeveless",)),
    ("sleeve", "long"): ("sleeves", ("sleeveless",)),
    ("neckline", "hood"): ("hood", _OPEN_NECKS),
    ("neckline", "polo"): ("collar", _OPEN_NECKS),
    ("neckline", "collar"): ("collar", _OPEN_NECKS),
    ("neckline", "turtleneck"): ("high neck", _OPEN_NECKS),
}


_Rows = NDArray[np.bool_]
"""(n,): some of the catalogue's drawings."""


@dataclass(frozen=True)
class _Wish:
    """What may be asked of a reference.

    Attributes:
        changes: as those of `SampleQuery`.
        holds: of which drawings it holds.
        frames: sentences with a place for each of `said`.
        said: for each place, the ways to say it.
    """

    changes: Mapping[str, str | None]
    holds: _Rows
    frames: Sequence[str]
    said: Sequence[Sequence[str]] = ()

    def text(self, place: int) -> str:
        """One way to say it; a place is any whole number from 0."""
        said = [ways[(place + at) % len(ways)] for at, ways in enumerate(self.said)]
        return self.frames[place % len(self.frames)].format(*said)


_Found = tuple[int, _Wish, NDArray[np.int64]]
"""The row of the reference, the wish, and the rows of its targets."""


class _Drawings:
    """The catalogue as columns, a row a design."""

    def __init__(self) -> None:
        self.designs = catalogue()
        columns = [np.array([getattr(each, name) for each in self.designs]) for name in ATTRIBUTES]
        self.has = {
            (name, str(value)): column == value
            for name, column in zip(ATTRIBUTES, columns, strict=True)
            for value in np.unique(column)
        }
        self.shown = [each.attributes for each in self.designs]
        self.shows = {name: ~self.has.get((name, ""), np.array(False)) for name in ATTRIBUTES}
        self.aside = np.array([kept_aside(each) for each in self.designs])
        self.lightness, self.chroma = np.array([cloth_shade(each) for each in self.designs]).T
        garments = Counter(each.garment for each in self.designs)
        self.most_targets = np.array([garments[each.garment] // SPARSE for each in self.designs])

    def found(self, group: str) -> Iterator[_Found]:
        """All wishes of a group that the rules of this module admit."""
        for at in range(len(self.designs)):
            same, differs = self._beside(at)
            for wish in self._wishes(group, at):
                if not (self.aside & wish.holds).any():
                    continue
                kept = [name for name in same if name not in wish.changes]
                score = np.sum([same[name] for name in kept], axis=0)
                if "garment" in kept:
                    score += len(ATTRIBUTES) * same["garment"]
                score[~wish.holds] = -1
                rows = np.flatnonzero(score == score.max())
                full = not any(differs[name][rows].any() for name in kept)
                few = len(rows) <= self.most_targets[rows].min()
                if full == (group != "not in full") and few and self.aside[rows].all():
                    yield at, wish, rows

    def _beside(self, at: int) -> tuple[dict[str, _Rows], dict[str, _Rows]]:
        """(n,) for each attribute that a design shows: who has its value, who shows another."""
        same = {name: self.has[name, value] for name, value in self.shown[at].items()}
        return same, {name: self.shows[name] & ~rows for name, rows in same.items()}

    def _wishes(self, group: str, at: int) -> Iterator[_Wish]:
        """All wishes of a group for the reference in a row."""
        lighter, darker, more, less = self._shades(at)
        match group:
            case "two changes":
                yield from self._two_changes(at)
            case "lighter":
                yield lighter
            case "darker":
                yield darker
            case "lightness and another":
                others = [each for each in self._changes(at) if "colour" not in each.changes]
                yield from (_both(*pair) for pair in product((lighter, darker), others))
            case "colourfulness":
                yield from (more, less)
            case "without":
                yield from self._without(at)
            case "anything but":
                yield from self._anything_but(at)
            case _:
                yield from (*self._changes(at), lighter, darker, more, less)

    def _changes(self, at: int) -> Iterator[_Wish]:
        """One attribute of what the reference shows gets another value."""
        for name, before in self.shown[at].items():
            for value, ways in _SAYINGS[name].items():
                if value != before:
                    yield _Wish({name: value}, self.has[name, value], _ONE, [ways])

    def _two_changes(self, at: int) -> Iterator[_Wish]:
        """Whatever two attributes tell another design from the reference."""
        singles = {(*each.changes.items(),): each for each in self._changes(at)}
        _, differs = self._beside(at)
        rows = np.flatnonzero(np.sum([*differs.values()], axis=0) == 2)
        shown = (self.shown[row].items() for row in rows)
        before = self.shown[at]
        pairs = [
            tuple((name, value) for name, value in each if before.get(name, value) != value)
            for each in shown
        ]
        for one, other in dict.fromkeys(pairs):
            yield _both(singles[one,], singles[other,])

    def _shades(self, at: int) -> Iterator[_Wish]:
        """Lighter, darker, more and less colourful; of two-coloured ones nobody knows which half
        is meant.
        """
        one_ground = ~self.has["pattern", "colour-block"]
        if not one_ground[at]:
            one_ground = np.zeros_like(one_ground)
        for values, frames, said in (
            (self.lightness, (_LIGHTER, _DARKER), ([_IS_LIGHTER], [_IS_DARKER])),
            (self.chroma, (_MORE, _LESS), ([], [])),
        ):
            step = values - values[at]
            for place, holds in enumerate((step >= MARGIN, step <= -MARGIN)):
                yield _Wish({"colour": None}, holds & one_ground, frames[place], said[place])

    def _without(self, at: int) -> Iterator[_Wish]:
        for name in ("pattern", "sleeve", "neckline"):
            if taken := _TAKEN.get((name, getattr(self.designs[at], name))):
                noun, values = taken
                left = values[0] if len(values) == 1 else None
                holds = np.any([self.has[name, value] for value in values], axis=0)
                yield _Wish({name: left}, holds, _WITHOUT, [[noun]])

    def _anything_but(self, at: int) -> Iterator[_Wish]:
        reference = self.designs[at]
        garment = _PLURALS.get(reference.garment, f"{reference.garment}s")
        named = {"colour": reference.colour, "garment": garment}
        if reference.pattern in _REPEATED:
            named["pattern"] = _TAKEN["pattern", reference.pattern][0]
        for name, noun in named.items():
            holds = ~self.has[name, getattr(reference, name)]
            if name == "pattern":
                holds &= ~self.has["pattern", "solid"]
            yield _Wish({name: None}, holds, _OTHER[name], [[noun]])


def _both(one: _Wish, other: _Wish) -> _Wish:
    changes = {**one.changes, **other.changes}
    return _Wish(changes, one.holds & other.holds, _TWO, [*one.said, *other.said])


def cloth_shade(design: Design) -> tuple[float, float]:
    """Mean lightness L* and chroma C* of a design's cloth, with its pattern, in even light."""
    along = np.arange(_PATCH, dtype=np.float32)
    grid = np.meshgrid(along, along)
    colours = cloth_of(design).colours(Spot(1.0, (_PATCH, _PATCH), lambda: (grid[0], grid[1])))
    lightness, a, b = cielab(colours)
    return float(lightness.mean()), float(np.hypot(a, b).mean())


@lru_cache(maxsize=1)
def hard_queries() -> tuple[SampleQuery, ...]:
    """The queries, in order of their groups; always the same."""
    drawings = _Drawings()
    queries: list[SampleQuery] = []
    for group, most in _SHARES.items():
        for place, (at, wish, rows) in enumerate(_spread(list(drawings.found(group)), most)):
            queries.append(
                SampleQuery(
                    id=f"h{len(queries) + 1:03d}",
                    group=group,
                    reference=drawings.designs[at],
                    changes=wish.changes,
                    text=wish.text(place),
                    targets=tuple(drawings.designs[row] for row in rows),
                )
            )
    return tuple(queries)


def _spread(found: Sequence[_Found], most: int) -> list[_Found]:
    """At most so many of them: each kind of change alike, and evenly over its references."""
    kinds: dict[tuple[str, ...], list[_Found]] = {}
    for each in found:
        kinds.setdefault(tuple(each[1].changes), []).append(each)
    shares = dict.fromkeys(kinds, 0)
    for _ in range(min(most, len(found))):
        unspent = [kind for kind, share in shares.items() if share < len(kinds[kind])]
        shares[min(unspent, key=shares.__getitem__)] += 1
    return [
        kinds[kind][place * len(kinds[kind]) // share]
        for kind, share in shares.items()
        for place in range(share)
    ]

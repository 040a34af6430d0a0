"""Sentences that ask for a change, put together from frames and from ways to describe.

A wish is described in one of a few forms: an adjective ("striped"), words behind a noun ("with
stripes", "in red", "for women"), a noun ("shirts"). Frames take one form, so that every frame goes
with every wish, and nothing is a fixed list of sentences.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

from numpy.random import Generator

from cir.training.language import frames, lexicon
from cir.training.language.slips import disturb

Ways = dict[str, Callable[[], str]]


def instruction(kind: str, values: Mapping[str, str], random: Generator) -> str:
    """What somebody might type who wants this kind of change.

    Args:
        kind: of `triplets`: an attribute, "feature", "not colour", "no feature", two joined by
            " and ", or "similar".
        values: table values of what is wanted (c colour, t type, g gender, f feature, u usage,
            s season), and with a capital letter what the reference has.
    """
    ways = _ways(values, random)
    return disturb(_sentence(kind, values, ways, random), random)


def caption(values: Mapping[str, str], random: Generator) -> tuple[str, set[str]]:
    """A text for a photo, and which of the values (their letters) it speaks of."""
    ways = _ways(values, random)
    fitting = [frame for frame in frames.CAPTION if _names(frame) <= ways.keys()]
    frame = _one(fitting, random)
    spoken = {_SPOKEN[name] for name in _names(frame)}
    return disturb(_fill((frame,), ways, random), random), spoken


_SPOKEN = {
    "c": "c", "ac": "c", "t": "t", "ts": "t", "at": "t", "w": "g", "g": "g", "a": "f", "p": "f",
    "u": "u",
}  # fmt: skip


def _sentence(kind: str, values: Mapping[str, str], ways: Ways, random: Generator) -> str:
    if kind in _FRAMES:
        return _fill(_FRAMES[kind], ways, random)
    if kind == "baseColour":
        return _colour(values, ways, random)
    if kind == "gender":
        return _gender(ways, random)
    if kind == "articleType":
        cloth = "cloth" in values and random.random() < 0.4
        return _fill(frames.TYPE_OF_CLOTH if cloth else frames.TYPE, ways, random)
    if kind == "no feature":
        without = lexicon.WITHOUT[values["F"]]
        return _fill(frames.BEHIND, ways | {"p": lambda: _one(without, random)}, random)
    if kind == "usage":
        ways = ways | _description("for {u} wear", "{u}", ways)
    return _two(ways, random) if " and " in kind else _described(ways, random)


_FRAMES: Mapping[str, Sequence[str]] = {
    "not colour": frames.NOT_COLOUR,
    "baseColour and articleType": frames.COLOUR_AND_TYPE,
    "season": frames.SEASON,
    "similar": frames.SIMILAR,
}


def _colour(values: Mapping[str, str], ways: Ways, random: Generator) -> str:
    dice = random.random()
    if dice < 0.25:
        return _fill(frames.COLOUR, ways, random)
    if dice < 0.36 and "C" in values:
        return _fill(frames.CONTRAST, ways, random)
    return _described(ways | _description("in {c}", "{c}", ways), random)


def _gender(ways: Ways, random: Generator) -> str:
    dice = random.random()
    if dice < 0.4:
        return _fill(frames.GENDER, ways, random)
    if dice < 0.7:
        return _fill(frames.PERSON, ways, random)
    return _fill(frames.BEHIND, ways | _description("for {g}", "{w}", ways), random)


def _described(ways: Ways, random: Generator) -> str:
    return _fill(frames.BEHIND if random.random() < 0.5 else frames.BEFORE, ways, random)


def _two(ways: Ways, random: Generator) -> str:
    """A colour and a feature, in one breath."""
    parts = [_one(("in {c}", "{c}"), random), _one(("{p}", "{a}"), random)]
    if random.random() < 0.5:
        parts.reverse()
    first, second = (_fill((part,), ways, random) for part in parts)
    joined = _one(frames.TWO, random).format(x=first, y=second)
    pair: Ways = ways | {"p": lambda: joined, "a": lambda: joined, "an": lambda: joined}
    dice = random.random()
    if dice < 0.3:
        return joined
    if dice < 0.6:
        return _fill(frames.BEHIND, pair, random)
    return _fill(
        ("{a} {c} {ts}", "{c} {ts} {p}", "{ac} {t} {p}", "{ac} {a} {t}", "{a} {c} {t} like this",
         "make it {c} and {a}", "{an} one in {c}", "{ac} one {p}"), ways, random,
    )  # fmt: skip


def _description(behind: str, before: str, ways: Ways) -> Ways:
    def said(form: str) -> Callable[[], str]:
        return lambda: form.format(**{name: ways[name]() for name in _names(form)})

    return {"p": said(behind), "a": said(before), "an": lambda: with_article(said(before)())}


def _ways(values: Mapping[str, str], random: Generator) -> Ways:
    """Letter of a frame -> something that says it; only what is known."""
    said: dict[str, Callable[[], str]] = {
        "it": lambda: _one(("this", "it", "this one", "that", "the same", "one like this"), random)
    }

    def colour(value: str) -> str:
        return say(value, lexicon.COLOURS.get(value, ()), random)

    if "c" in values:
        said["c"] = lambda: colour(values["c"])
        said["ac"] = lambda: with_article(colour(values["c"]))
    if "C" in values:
        said["o"] = lambda: colour(values["C"])
    for letter, prefix in (("t", ""), ("T", "o")):
        if letter in values:
            said |= _nouns(values[letter], prefix, random)
    if "t" not in values and "T" in values:
        said |= _nouns(values["T"], "", random)
    for letter, whose, people in (("g", "w", "g"), ("G", "v", "h")):
        if letter in values:
            said[whose] = partial(_one, lexicon.WHOSE[values[letter]], random)
            said[people] = partial(_one, lexicon.PEOPLE[values[letter]], random)
    if "f" in values:
        before, behind = lexicon.FEATURES[values["f"]]
        said["a"] = lambda: _one(before, random)
        said["an"] = lambda: with_article(_one(before, random))
        said["p"] = lambda: _one(behind, random)
    if "u" in values:
        said["u"] = lambda: say(values["u"], lexicon.USAGES.get(values["u"], ()), random)
    if "s" in values:
        said["s"] = lambda: say(values["s"], lexicon.SEASONS.get(values["s"], ()), random)
    return said


def _nouns(value: str, prefix: str, random: Generator) -> dict[str, Callable[[], str]]:
    """Singular, plural, and singular with its article."""
    own = value.lower()
    # The first pair is what most people say.
    pairs = tuple(lexicon.TYPES.get(value, ()))
    ways = (f"{own}/{own}", *pairs[:1] * 3, *pairs)

    def noun(place: int) -> str:
        return _one(ways, random).split("/")[place]

    return {
        f"{prefix}t": lambda: noun(0),
        f"{prefix}ts": lambda: noun(1),
        f"a{prefix}t": lambda: with_article(noun(0)),
    }


def say(value: str, others: Sequence[str], random: Generator) -> str:
    """The table's own word, half of the time, or another word for it."""
    own = value.lower()
    return own if not others or random.random() < 0.55 else _one(others, random)


def with_article(words: str) -> str:
    """The words with "a" or "an"; none before what needs none."""
    if words.startswith(("with", "in ", "for ", "trousers", "jeans")):
        return words
    return f"an {words}" if words[:1] in "aeiou" and not words.startswith("uni") else f"a {words}"


def _fill(texts: Sequence[str], ways: Ways, random: Generator) -> str:
    fitting = [frame for frame in texts if _names(frame) <= ways.keys()]
    frame = _one(fitting, random)
    # Sorted: the order of a set changes from process to process, and with it what is drawn.
    return frame.format(**{name: ways[name]() for name in sorted(_names(frame))})


@lru_cache(maxsize=4096)
def _names(frame: str) -> frozenset[str]:
    return frozenset(part.split("}")[0] for part in frame.split("{")[1:])


def _one(ways: Sequence[str], random: Generator) -> str:
    return ways[int(random.integers(len(ways)))]

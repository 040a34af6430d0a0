"""What fingers do to a sentence: capitals, marks, politeness and slips of the keyboard."""

from numpy.random import Generator

_BEFORE = (
    "please", "hi,", "hello,", "hey,", "ok so", "um,", "well,", "i think", "actually", "hmm", "maybe",
)  # fmt: skip
_AFTER = (
    "please", "pls", "thanks", "thank you", "if possible", "if you have it", "for me", "plz", "thx",
    "if there is one", "ideally", "please and thank you", "if you can",
)  # fmt: skip
_NEAR = {
    "a": "sq", "b": "vn", "c": "xv", "d": "sf", "e": "wr", "f": "dg", "g": "fh", "h": "gj",
    "i": "uo", "j": "hk", "k": "jl", "l": "k", "m": "n", "n": "bm", "o": "ip", "p": "o", "q": "w",
    "r": "et", "s": "ad", "t": "ry", "u": "yi", "v": "cb", "w": "qe", "x": "zc", "y": "tu",
    "z": "x",
}  # fmt: skip


def disturb(text: str, random: Generator) -> str:
    """The text as somebody might type it; often unchanged."""
    dice = random.random()
    if dice < 0.05:
        text = f"{_one(_BEFORE, random)} {text}"
    elif dice < 0.12:
        joint = ", " if random.random() < 0.4 else " "
        text = text.rstrip("?.!") + joint + _one(_AFTER, random)
    if random.random() < 0.12:
        text = slip(text, random)
    dice = random.random()
    if dice < 0.05:
        text = text.upper()
    elif dice < 0.25:
        text = text[:1].upper() + text[1:]
    if random.random() < 0.15 and text[-1:] not in "?!.":
        text += _one((".", "!", "...", "."), random)
    elif random.random() < 0.3:
        text = text.rstrip("?.")
    return text


def slip(text: str, random: Generator) -> str:
    """The text with one slip in a word of at least four letters."""
    words = text.split(" ")
    long = [at for at, word in enumerate(words) if len(word) >= 4]
    if not long:
        return text
    at = long[int(random.integers(len(long)))]
    words[at] = _slipped(words[at], random)
    return " ".join(words)


def _slipped(word: str, random: Generator) -> str:
    at = int(random.integers(1, len(word) - 1))
    match int(random.integers(4)):
        case 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        case 1:
            return word[:at] + word[at + 1 :]
        case 2:
            return word[:at] + word[at] + word[at:]
        case _:
            near = _NEAR.get(word[at].lower(), word[at])
            return word[:at] + near[int(random.integers(len(near)))] + word[at + 1 :]


def _one(ways: tuple[str, ...], random: Generator) -> str:
    return ways[int(random.integers(len(ways)))]

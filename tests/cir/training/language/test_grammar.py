"""Instructions: every kind can be said in many ways, and the same seed says the same."""

import re

import numpy as np
import pytest

from cir.training.kinds import DRAWN_KINDS, PHOTO_KINDS
from cir.training.language import lexicon
from cir.training.language.grammar import caption, instruction, with_article
from cir.training.language.slips import disturb, slip

VALUES = {
    "c": "Navy Blue", "C": "Red", "t": "Tshirts", "T": "Shirts", "g": "Women", "G": "Men",
    "f": "striped", "F": "floral", "u": "Formal", "s": "Fall",
}  # fmt: skip


def say(kind: str, count: int, seed: int = 1) -> list[str]:
    random = np.random.default_rng(seed)
    return [instruction(kind, VALUES, random) for _ in range(count)]


@pytest.mark.parametrize("kind", sorted(PHOTO_KINDS.keys() | DRAWN_KINDS.keys()))
def test_every_kind_is_said_in_many_ways(kind: str) -> None:
    texts = say(kind, 300)
    assert len(set(texts)) > 60
    assert all(text.strip() and not re.search(r"[{}]", text) for text in texts)
    assert texts == say(kind, 300)


def test_a_colour_is_named_in_other_words_too() -> None:
    texts = " ".join(say("baseColour", 200)).lower()
    assert "navy blue" in texts and "dark blue" in texts and "midnight" in texts


def test_words_that_are_not_known_are_not_spoken_of() -> None:
    random = np.random.default_rng(2)
    texts = [instruction("baseColour", {"c": "Red"}, random) for _ in range(200)]
    assert not any("shirt" in text.lower() for text in texts)


def test_a_caption_tells_what_it_speaks_of() -> None:
    random = np.random.default_rng(3)
    for _ in range(100):
        text, spoken = caption({"c": "Teal"}, random)
        assert spoken == {"c"} and text
    everything = [caption(VALUES, random)[1] for _ in range(200)]
    assert {"c", "t"} in everything and {"t"} in everything


@pytest.mark.parametrize("feature", lexicon.FEATURES)
def test_every_feature_can_be_wished_for(feature: str) -> None:
    random = np.random.default_rng(4)
    texts = [instruction("feature", {"f": feature, "T": "Shirts"}, random) for _ in range(20)]
    assert all(texts)


@pytest.mark.parametrize(
    ("words", "expected"),
    [("red one", "a red one"), ("olive one", "an olive one"), ("unisex one", "a unisex one")],
)
def test_articles(words: str, expected: str) -> None:
    assert with_article(words) == expected


def test_a_slip_changes_one_word_by_a_letter_or_two() -> None:
    random = np.random.default_rng(5)
    plain = ["make", "it", "burgundy", "please"]
    for _ in range(200):
        changed = slip(" ".join(plain), random)
        differing = [
            (one, two) for one, two in zip(plain, changed.split(), strict=True) if one != two
        ]
        assert len(differing) <= 1
        assert all(abs(len(one) - len(two)) <= 1 for one, two in differing)
    assert slip("in red", random) == "in red"


def test_most_texts_are_left_readable() -> None:
    random = np.random.default_rng(6)
    texts = [disturb("do you have this in red?", random) for _ in range(400)]
    assert 40 < texts.count("do you have this in red?") < 300
    assert any(text.isupper() for text in texts)

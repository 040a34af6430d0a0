import numpy as np

from cir.training.language.fillers import filler_words, with_fillers


def test_fillers_are_long_words_that_neither_instructions_nor_names_use() -> None:
    vocabulary = [
        "window",
        "red",
        "##ing",
        "Zeus",
        "caf\u00e9",
        "wardrobe",
        "shirt",
        "acme",
        "42",
        "ox",
    ]
    assert filler_words(vocabulary, ["Acme Men Shirt"]) == ["Zeus", "wardrobe", "window"]


def test_a_sentence_keeps_its_words_in_their_order() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        words = with_fillers("make it red", ["window", "wardrobe"], random).split(" ")
        assert [word for word in words if word not in {"window", "wardrobe"}] == [
            "make",
            "it",
            "red",
        ]
        assert 1 <= len(words) - 3 <= 3

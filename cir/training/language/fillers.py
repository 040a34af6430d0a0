"""Words that say nothing of a garment, put into sentences so that training learns to pass over them."""

from collections.abc import Iterable, Sequence

from numpy.random import Generator

from cir.training.language.lexicon import every_word

SHORTEST = 4  # letters
MOST = 3  # words put into one sentence


def filler_words(vocabulary: Iterable[str], names: Iterable[str]) -> list[str]:
    """Common words of a vocabulary, without those of instructions and of product names."""
    meant = {word for text in (*every_word(), *names) for word in text.lower().split()}
    long = {word for word in vocabulary if word.isascii() and word.isalpha()}
    return sorted(word for word in long - meant if len(word) >= SHORTEST)


def with_fillers(text: str, fillers: Sequence[str], random: Generator) -> str:
    """The text with one to three of the words somewhere in it."""
    words = text.split(" ")
    for _ in range(int(random.integers(1, MOST + 1))):
        words.insert(
            int(random.integers(len(words) + 1)), fillers[int(random.integers(len(fillers)))]
        )
    return " ".join(words)

"""Sizes, durations and names as people read them."""

import pytest

from cir.words import duration, printable, size


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "?"), (0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5300, "88 min"), (7500, "2 h 5 min")],
)
def test_times_are_for_people(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0.0 MB"),
        (420_000, "0.4 MB"),
        (9_949_999, "9.9 MB"),
        (9_950_000, "10 MB"),
        (393_000_000, "393 MB"),
        (999_499_999, "999 MB"),
        (999_500_000, "1.0 GB"),
        (2_270_000_000, "2.3 GB"),
    ],
)
def test_sizes_are_for_people(count: int, words: str) -> None:
    assert size(count) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a b.jpg", "a b.jpg"), ("名 😀", "名 😀"), ("a\nb\t", "a\\nb\\t"), ("\udcff", "\\udcff")],
)
def test_any_text_fits_a_line(text: str, shown: str) -> None:
    assert printable(text) == shown

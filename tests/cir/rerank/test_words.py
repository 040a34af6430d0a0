"""Word overlap weighted by IDF, and second stages by name."""

import math

import pytest

from cir.errors import UsageError
from cir.rerank.protocol import Candidate
from cir.rerank.registry import family_of, load_reranker, names_folder, rerank_families


def shares(instruction: str, *texts: str) -> list[float]:
    judged = load_reranker("words").judge(instruction, None, [Candidate(text) for text in texts])
    return [1 / (1 + math.exp(-score)) for score in judged.scores]


def test_a_score_is_the_share_of_the_instruction_by_idf() -> None:
    red, shirt = (math.log1p((3 - found + 0.5) / (found + 0.5)) for found in (1, 3))
    assert shares("Red shirts", "a RED shirt", "blue shirt", "shirt") == pytest.approx(
        [1, shirt / (red + shirt), shirt / (red + shirt)], abs=1e-5
    )


def test_words_that_no_candidate_has_count_in_the_whole() -> None:
    (share,) = shares("red trousers", "red")
    assert 0 < share < 0.5


@pytest.mark.parametrize("instruction", ["?!", "nothing of it", "x" * 10_000])
def test_without_a_common_word_nobody_gains(instruction: str) -> None:
    assert shares(instruction, "red", "blue") == pytest.approx([0, 0], abs=1e-5)


@pytest.mark.parametrize("name", ["", "word", "words:x", "flags:a/b", ":", "bge-reranker"])
def test_an_unknown_name_is_told_with_those_there_are(name: str) -> None:
    with pytest.raises(UsageError) as raised:
        family_of(name)
    for family in rerank_families().values():
        assert family.example in str(raised.value)


def test_words_open_no_folder() -> None:
    assert not names_folder("words")

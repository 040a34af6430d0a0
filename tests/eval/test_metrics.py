"""Measures on examples worked by hand."""

import pytest

from eval.metrics import MEASURES, Recall, ReciprocalRank, first_target_rank, mean, score


def test_measures_print_as_their_names() -> None:
    names = ["recall@1", "recall@5", "recall@10", "recall@50", "mrr"]
    assert [str(measure) for measure in MEASURES] == names


def test_rank_of_the_first_target_counts_from_one() -> None:
    assert first_target_rank("abcd", {"c", "d"}) == 3
    assert first_target_rank("abcd", {"a"}) == 1
    assert first_target_rank("abcd", {"x"}) is None
    assert first_target_rank("", {"x"}) is None


def test_recall_asks_for_any_target_in_the_first_k() -> None:
    ranked, targets = list("abcdef"), {"e", "b", "x", "y"}
    assert Recall(1)(ranked, targets) == 0.0
    # One of four targets found: the papers' measure is 1, TREC's would be 0.25.
    assert Recall(2)(ranked, targets) == 1.0
    assert Recall(50)(ranked, targets) == 1.0
    assert Recall(4)(ranked, {"e"}) == 0.0
    assert Recall(5)(ranked, {"e"}) == 1.0


def test_reciprocal_rank_of_the_first_target() -> None:
    assert ReciprocalRank()(list("abcd"), {"d", "c"}) == pytest.approx(1 / 3)
    assert ReciprocalRank()(list("abcd"), {"x"}) == 0.0


def test_means_over_three_queries() -> None:
    rankings = [["a", "b", "c"], ["b", "c", "a"], ["b", "c", "d"]]
    figures = mean([score(ranked, {"a": 1}) for ranked in rankings])
    assert figures["recall@1"] == pytest.approx(1 / 3)
    assert figures["recall@5"] == pytest.approx(2 / 3)
    assert figures["mrr"] == pytest.approx((1 + 1 / 3 + 0) / 3)


def test_a_query_without_ranking_counts_zero() -> None:
    assert mean([score(["a"], {"a"}), score([], {"a"})])["recall@10"] == 0.5


def test_the_mean_over_no_query_is_zero() -> None:
    assert mean([]) == dict.fromkeys(map(str, MEASURES), 0.0)

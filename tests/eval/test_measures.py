"""Measures on examples worked by hand, and beside another implementation of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import ir_measures
import numpy as np
import pytest
from ir_measures import RR, R, Success, nDCG

from cir.errors import UsageError
from eval.measures import (
    MEASURES,
    AveragePrecision,
    DiscountedGain,
    Measure,
    Recall,
    RecallFraction,
    RecallSubset,
    ReciprocalRank,
    depth_of,
    explained,
    find_measure,
    first_ranks,
    first_target_rank,
    heading,
    judge,
    mean,
    parse_measure,
    score,
)


def value(measure: Measure, ranked: Sequence[str], targets: Mapping[str, int]) -> float:
    """The measure of one query."""
    return float(measure(judge([ranked], [targets]))[0])


def test_measures_print_as_their_names() -> None:
    names = ["recall@1", "recall@5", "recall@10", "recall@50", "mrr"]
    assert [str(measure) for measure in MEASURES] == names
    families = (RecallFraction(7), AveragePrecision(7), DiscountedGain(7), RecallSubset(7))
    named = [str(family) for family in families]
    assert named == ["recall_fraction@7", "map@7", "ndcg@7", "recall_subset@7"]


def test_measures_parse_from_their_names() -> None:
    assert parse_measure("recall@20") == Recall(20)
    assert parse_measure("map@100") == AveragePrecision(100)
    assert parse_measure("ndcg@7") == DiscountedGain(7)
    assert parse_measure("recall_fraction@3") == RecallFraction(3)
    assert parse_measure("recall_subset@2") == RecallSubset(2)
    assert parse_measure("mrr") == ReciprocalRank()
    alike: set[Measure] = {Recall(5), parse_measure("recall@5"), RecallSubset(5)}
    assert len(alike) == 2
    for name in ("", "recall", "recall@", "recall@x", "recall@0", "recall@05", "hit@5", "mrr@5"):
        assert find_measure(name) is None
    assert find_measure("recall@123456") is None


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("recal@20", "recall@20"),
        ("Recall@7", "recall@7"),
        ("recall", "recall@10"),
        ("recallsubset@3", "recall_subset@3"),
        ("mrr@5", "mrr"),
        ("nDCG@x", "ndcg@10"),
    ],
)
def test_an_unknown_name_is_refused_with_the_families_and_the_nearest(
    name: str, nearest: str
) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_measure(name)
    assert "recall@k, mrr, recall_fraction@k, map@k, map_cut@k, ndcg@k, recall_subset@k" in str(
        refusal.value
    )
    assert str(refusal.value).endswith(f"Did you mean {nearest}?")


def test_a_name_that_is_near_none_is_refused_with_the_families_alone() -> None:
    with pytest.raises(UsageError, match=r"write one of recall@k, .* with a number for k\.$"):
        parse_measure("success@5")


def test_the_rank_of_the_first_target_decides_some_measures() -> None:
    by_rank = [
        name
        for name in ("recall@3", "mrr", "map@3", "recall_subset@3", "ndcg@3")
        if parse_measure(name).by_rank
    ]
    assert by_rank == ["recall@3", "mrr"]
    ranks = first_ranks([1, 4, None])
    assert Recall(3).of_ranks(ranks).tolist() == [1.0, 0.0, 0.0]
    assert ReciprocalRank().of_ranks(ranks).tolist() == [1.0, 0.25, 0.0]
    with pytest.raises(NotImplementedError, match="map@3"):
        AveragePrecision(3).of_ranks(ranks)


def test_rankings_are_as_deep_as_the_largest_cutoff() -> None:
    assert depth_of([]) == depth_of(MEASURES) == depth_of([RecallSubset(500)]) == 100
    assert depth_of([*MEASURES, AveragePrecision(250)]) == 250


def test_rank_of_the_first_target_counts_from_one() -> None:
    assert first_target_rank("abcd", {"c", "d"}) == 3
    assert first_target_rank("abcd", {"a"}) == 1
    assert first_target_rank("abcd", {"x"}) is None
    assert first_target_rank("", {"x"}) is None


def test_recall_asks_for_any_target_in_the_first_k() -> None:
    ranked, targets = list("abcdef"), dict.fromkeys("ebxy", 1)
    assert value(Recall(1), ranked, targets) == 0.0
    # One of four targets found: the papers' measure is 1, TREC's 0.25.
    assert value(Recall(2), ranked, targets) == 1.0
    assert value(RecallFraction(2), ranked, targets) == 0.25
    assert value(Recall(50), ranked, targets) == 1.0
    assert value(RecallFraction(50), ranked, targets) == 0.5
    assert value(Recall(4), ranked, {"e": 1}) == 0.0
    assert value(Recall(5), ranked, {"e": 1}) == 1.0


def test_reciprocal_rank_of_the_first_target() -> None:
    assert value(ReciprocalRank(), "abcd", {"d": 1, "c": 1}) == pytest.approx(1 / 3)
    assert value(ReciprocalRank(), "abcd", {"x": 1}) == 0.0
    assert value(ReciprocalRank(), "", {"x": 1}) == 0.0


def test_average_precision_divides_by_what_could_be_found() -> None:
    ranked, targets = list("abcdef"), dict.fromkeys("bcxyz", 1)
    # Hits at ranks 2 and 3 of five targets: (1/2 + 2/3), over 2, 3 and 5.
    assert value(AveragePrecision(2), ranked, targets) == pytest.approx(0.5 / 2)
    assert value(AveragePrecision(3), ranked, targets) == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert value(AveragePrecision(50), ranked, targets) == pytest.approx((1 / 2 + 2 / 3) / 5)
    assert value(AveragePrecision(5), "ab", {"a": 1, "b": 1}) == 1.0


def test_discounted_gain_takes_grades() -> None:
    # Reached 2 / log2(3) where 2 / log2(2) + 1 / log2(3) was to be had.
    expected = (2 / np.log2(3)) / (2 + 1 / np.log2(3))
    assert value(DiscountedGain(5), "xb", {"b": 2, "c": 1}) == pytest.approx(expected)
    assert value(DiscountedGain(5), "bc", {"b": 2, "c": 1}) == 1.0
    assert value(DiscountedGain(1), "cb", {"b": 2, "c": 1}) == 0.5


def test_a_protocol_may_count_one_target_alone() -> None:
    relevance = judge(["ab", "ab"], [{"a": 1, "b": 1}] * 2, counted=["b", None])
    assert Recall(1)(relevance).tolist() == [0.0, 1.0]
    assert ReciprocalRank()(relevance).tolist() == [0.5, 1.0]
    assert AveragePrecision(2)(relevance).tolist() == [1.0, 1.0]


def test_the_candidates_have_a_search_of_their_own() -> None:
    relevance = judge(["xyz"], [{"a": 1}], subsets=["ba"])
    assert (RecallSubset(1)(relevance)[0], RecallSubset(2)(relevance)[0]) == (0.0, 1.0)
    assert Recall(3)(relevance)[0] == 0.0
    with pytest.raises(ValueError, match="candidates"):
        RecallSubset(1)(judge(["a"], [{"a": 1}]))


def test_means_over_all_and_over_some_queries() -> None:
    relevance = judge([["a", "b", "c"], ["b", "c", "a"], []], [{"a": 1}] * 3)
    figures = mean(score(relevance))
    assert figures["recall@1"] == pytest.approx(1 / 3)
    assert figures["recall@5"] == pytest.approx(2 / 3)
    assert figures["mrr"] == pytest.approx((1 + 1 / 3 + 0) / 3)
    assert mean(score(relevance), [0, 1])["recall@5"] == 1.0


def test_the_mean_over_no_query_is_zero() -> None:
    assert mean(score(judge([], []))) == dict.fromkeys(map(str, MEASURES), 0.0)


def drawn(queries: int, depth: int) -> tuple[list[list[str]], list[dict[str, int]]]:
    """Rankings of a thousand images, and one to eight graded targets of each query."""
    random = np.random.default_rng(7)
    rankings = [[f"d{n}" for n in random.permutation(1000)[:depth]] for _ in range(queries)]
    targets = [
        {f"d{n}": int(random.integers(1, 4)) for n in random.permutation(60)[: 1 + q % 8]}
        for q in range(queries)
    ]
    # A target at a good rank here and there, or there would be little to compare.
    for place, ranked in enumerate(rankings[::3]):
        wanted = next(iter(targets[3 * place]))
        if wanted not in ranked:
            ranked[place % 12] = wanted
    return rankings, targets


def test_agrees_with_ir_measures_where_the_definitions_do() -> None:
    rankings, targets = drawn(60, 100)
    qrels = {str(n): each for n, each in enumerate(targets)}
    run = {
        str(n): {item: -float(rank) for rank, item in enumerate(ranked)}
        for n, ranked in enumerate(rankings)
    }
    # AP@k is compared where k is no less than any query's number of targets: trec_eval divides by
    # all targets, CIRCO by min(targets, k).
    same: dict[Any, Measure] = {
        **{Success @ k: parse_measure(f"recall@{k}") for k in (1, 3, 5, 10, 20, 50, 100)},
        **{R @ k: parse_measure(f"recall_fraction@{k}") for k in (2, 5, 10, 33, 50, 100)},
        **{nDCG @ k: parse_measure(f"ndcg@{k}") for k in (1, 5, 7, 10, 50, 100)},
        **{ir_measures.AP @ k: parse_measure(f"map@{k}") for k in (8, 10, 31, 50, 100)},
        **{ir_measures.AP @ k: parse_measure(f"map_cut@{k}") for k in (1, 3, 5)},
        RR: ReciprocalRank(),
    }
    theirs = ir_measures.calc_aggregate(list(same), qrels, run)
    relevance = judge(rankings, targets)
    for other, ours in same.items():
        assert ours(relevance).mean() == pytest.approx(theirs[other], abs=1e-9), other
        assert theirs[other] > 0


def test_negatives_and_judged_are_shares_of_the_first_images() -> None:
    relevance = judge(
        [["t", "n", "x", "m"], ["n"], []],
        [{"t": 1}, {"t": 1}, {"t": 1}],
        negatives=[["n", "m"], ["n"], []],
    )
    told = {name: parse_measure(name)(relevance).tolist() for name in ("negatives@2", "judged@2")}
    assert told == {"negatives@2": [0.5, 0.5, 0.0], "judged@2": [1.0, 0.5, 0.0]}
    assert parse_measure("negatives@4")(relevance).tolist() == [0.5, 0.25, 0.0]
    assert parse_measure("negatives@2").lower_is_better
    # Without negatives only targets are judged.
    alone = judge([["t", "x"]], [{"t": 1}], negatives=[[]])
    assert alone.negatives is None and parse_measure("judged@2")(alone).tolist() == [0.5]


def test_measures_joined_by_a_plus_are_their_mean() -> None:
    headline = parse_measure("recall@1+map@2")
    assert (str(headline), heading(str(headline))) == ("recall@1+map@2", "(recall@1 + map@2) / 2")
    relevance = judge([["a", "x"], ["x", "b"], ["x", "y"]], [{"a": 1}, {"b": 1}, {"c": 1}])
    parts = [parse_measure(name)(relevance) for name in ("recall@1", "map@2")]
    assert headline(relevance).tolist() == [
        (one + two) / 2 for one, two in zip(*parts, strict=True)
    ]
    assert headline(relevance).tolist() == [1.0, 0.25, 0.0]
    assert not headline.by_rank
    deep = parse_measure("recall@10+recall@150")
    assert deep.by_rank and depth_of([deep]) == 150
    assert deep.of_ranks(first_ranks([10, 150, 151, None])).tolist() == [1.0, 0.5, 0.0, 0.0]
    assert explained(["recall@1+mrr"]).startswith("recall@k: ")


@pytest.mark.parametrize("name", ["recall@1+", "recall@1+recall@1", "recall@1+success@5", "+"])
def test_what_is_no_mean_of_measures_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="There is no measure"):
        parse_measure(name)

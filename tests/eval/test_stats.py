"""Statistics of queries that share images: against other ways to compute them, and simulated."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.stats import (
    EXACT_UP_TO,
    bootstrap_intervals,
    bootstrap_means,
    cluster_sums,
    sign_flip_p,
)

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def clustered(
    clusters: int, columns: int, seed: int, *, truth: float = 0.1
) -> tuple[Floats, Labels]:
    """Differences of a mean of `truth` whose clusters each have a level of their own.

    Clusters hold 1 to 16 queries; half of the variance is between them.
    """
    dice = np.random.default_rng(seed)
    sizes = dice.integers(1, 17, clusters)
    labels = np.repeat(np.arange(clusters), sizes)
    level = dice.normal(0, 1, (clusters, columns))[labels]
    return truth + level + dice.normal(0, 1, (len(labels), columns)), labels


def test_clusters_of_one_query_each_change_not_a_bit() -> None:
    given = np.random.default_rng(0).normal(0.1, 1, (60, 3))
    alone = np.random.default_rng(1).permutation(60)
    for compute in (bootstrap_means, bootstrap_intervals, sign_flip_p):
        plain, by_cluster = compute(given, seed=5), compute(given, seed=5, clusters=alone)
        assert plain.tobytes() == by_cluster.tobytes()


def test_a_resample_holds_whole_clusters() -> None:
    given, labels = clustered(9, 2, seed=2)
    means = bootstrap_means(given, seed=3, resamples=50, clusters=labels)
    drawn = np.random.default_rng(3).integers(0, 9, (50, 9))
    for row, clusters in zip(means, drawn, strict=True):
        queries = np.concatenate([np.flatnonzero(labels == each) for each in clusters])
        assert row == pytest.approx(given[queries].mean(axis=0))


def test_sums_are_of_clusters_in_order_of_appearance() -> None:
    given = np.array([[1.0], [10.0], [2.0], [20.0], [100.0]])
    sums, sizes = cluster_sums(given, np.array([7, 3, 7, 3, 5]))
    assert sums.tolist() == [[3.0], [30.0], [100.0]]
    assert sizes.tolist() == [2, 2, 1]


def test_the_interval_is_that_of_the_error_robust_to_clusters() -> None:
    """Liang and Zeger's error of a mean: the sums of each cluster's residuals, squared."""
    given, labels = clustered(300, 1, seed=4)
    residuals = given[:, 0] - given.mean()
    sums = np.bincount(labels, residuals)
    error = np.sqrt((sums**2).sum()) / len(given)
    low, high = bootstrap_intervals(given, seed=0, clusters=labels)[:, 0]
    assert low == pytest.approx(given.mean() - 1.96 * error, abs=0.1 * error)
    assert high == pytest.approx(given.mean() + 1.96 * error, abs=0.1 * error)
    apart = bootstrap_intervals(given, seed=0)[:, 0]
    assert 2 < (high - low) / (apart[1] - apart[0]) < 3


def test_intervals_hold_the_truth_as_often_as_they_say_where_plain_ones_do_not() -> None:
    given, labels = clustered(120, 1000, seed=6)
    by_cluster = bootstrap_intervals(given, seed=0, resamples=2000, clusters=labels)
    plain = bootstrap_intervals(given, seed=0, resamples=2000)

    def held(ends: Floats) -> float:
        return float(((ends[0] < 0.1) & (ends[1] > 0.1)).mean())

    assert 0.93 < held(by_cluster) < 0.97
    assert held(plain) < 0.75


def test_signs_are_those_of_whole_clusters() -> None:
    given, labels = clustered(10, 1, seed=7, truth=0.8)
    sums = [
        sum(s * given[labels == each].sum() for each, s in enumerate(signs))
        for signs in product((1, -1), repeat=10)
    ]
    expected = np.mean([abs(each) >= abs(given.sum()) - 1e-9 for each in sums])
    assert sign_flip_p(given, seed=0, clusters=labels)[0] == pytest.approx(expected)


def test_where_nothing_differs_clusters_are_found_by_chance_as_often_as_said() -> None:
    given, labels = clustered(80, 800, seed=8, truth=0)
    assert len(set(labels.tolist())) > EXACT_UP_TO
    by_cluster = sign_flip_p(given, seed=0, flips=2000, clusters=labels)
    assert 0.03 < (by_cluster < 0.05).mean() < 0.07
    assert (sign_flip_p(given, seed=0, flips=2000) < 0.05).mean() > 0.25

"""Statistics of paired differences, for many columns at once; no text, no files.

A column holds for each query the value of one system minus that of another. All that is random
comes from a seed, and every column meets the same resamples and the same signs. Queries that share
images are no independent draws: their differences go up and down together. Given their clusters,
whole clusters are drawn and take a sign, which needs the clusters alone to be independent.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Columns = NDArray[np.float64]
"""`(n, c)`: a difference for each of n queries, in c columns."""

Clusters = NDArray[np.int64]
"""`(n,)`: a number for each query, equal for queries of one cluster."""

RESAMPLES = 10_000
FLIPS = 10_000
EXACT_UP_TO = 13
"""Queries, or clusters, that differ, up to which every pattern of signs is tried: 2**13 is less
than `FLIPS`."""

_CELLS = 2**21  # of a block of resamples or signs that is in memory at once
_SLACK = 1e-9  # sums that differ by rounding alone are equal


def bootstrap_intervals(
    columns: Columns,
    *,
    seed: int,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    clusters: Clusters | None = None,
) -> NDArray[np.float64]:
    """`(2, c)` lower and upper ends of an interval for the mean of each column.

    The percentile bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993,
    chapter 13) of `bootstrap_means`.

    Args:
        columns: the differences; one query at least.
        seed: of the resamples.
        level: share of the resampled means that the interval holds.
        resamples: how many there are.
        clusters: of the queries; None where each stands alone.
    """
    means = bootstrap_means(columns, seed=seed, resamples=resamples, clusters=clusters)
    return interval_of(means, level)


def bootstrap_means(
    columns: Columns,
    *,
    seed: int | Sequence[int],
    resamples: int = RESAMPLES,
    clusters: Clusters | None = None,
) -> NDArray[np.float64]:
    """`(resamples, c)` means of each column over queries drawn with replacement.

    Queries are drawn in pairs as Sakai, "Evaluating Evaluation Metrics based on the Bootstrap",
    SIGIR 2006, does. Of clusters as many as there are, each with all of its queries, and the mean
    is that over all queries that came (Field and Welsh, "Bootstrapping clustered data", Journal of
    the Royal Statistical Society B 69(3), 2007; Davison and Hinkley, "Bootstrap Methods and their
    Application", 1997, section 3.8). Arguments as of `bootstrap_intervals`.
    """
    sums, sizes = cluster_sums(columns, clusters)
    n = len(sums)
    dice = np.random.default_rng(seed)
    means = []
    for rows in _blocks(resamples, n):
        drawn = dice.integers(0, n, (rows, n)) + np.arange(rows)[:, None] * n
        counts = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n)
        means.append(counts @ sums / (counts @ sizes)[:, None])
    return np.concatenate(means)


def interval_of(means: NDArray[np.float64], level: float = 0.95) -> NDArray[np.float64]:
    """`(2, c)` ends between which this share of each column of resampled means lies."""
    tail = (1 - level) / 2
    ends: NDArray[np.float64] = np.quantile(means, [tail, 1 - tail], axis=0)
    return ends


def cluster_sums(
    columns: Columns, clusters: Clusters | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`(g, c)` sums over each cluster, in order of appearance, and `(g,)` numbers of queries.

    Without clusters each query is one of its own.
    """
    if clusters is None:
        return columns, np.ones(len(columns))
    _, first, place = np.unique(clusters, return_index=True, return_inverse=True)
    # Numbered as they appear, so that clusters of one query each are the queries as they stand.
    place = np.argsort(np.argsort(first))[place]
    sums = np.zeros((len(first), columns.shape[1]))
    np.add.at(sums, place, columns)
    return sums, np.bincount(place).astype(np.float64)


def sign_flip_p(
    columns: Columns, *, seed: int, flips: int = FLIPS, clusters: Clusters | None = None
) -> NDArray[np.float64]:
    """`(c,)` two-sided p of each column's mean under random signs.

    Fisher's randomisation test of paired values: were the two systems alike, each difference could
    as well have the other sign (Smucker, Allan and Carterette, "A Comparison of Statistical
    Significance Tests for Information Retrieval Evaluation", CIKM 2007). Up to `EXACT_UP_TO`
    queries that differ, every pattern of signs is tried; beyond, `flips` random ones, with
    p = (b + 1) / (flips + 1), which is never 0 (Phipson and Smyth, "Permutation P-values Should
    Never Be Zero", 2010). All queries of a cluster take one sign, since only whole clusters can be
    exchanged (Winkler et al., "Multi-level block permutation", NeuroImage 123, 2015; Canay, Romano
    and Shaikh, "Randomization Tests under an Approximate Symmetry Assumption", Econometrica 85(3),
    2017).

    Args:
        columns: the differences.
        seed: of the signs.
        flips: how many random patterns there are.
        clusters: of the queries; None where each stands alone.
    """
    columns, _ = cluster_sums(columns, clusters)
    differing = np.count_nonzero(columns, axis=0)
    p = np.empty(columns.shape[1])
    few = differing <= EXACT_UP_TO
    for place in np.flatnonzero(few):
        p[place] = _exact_p(columns[columns[:, place] != 0, place])
    if not few.all():
        p[~few] = _sampled_p(columns[:, ~few], seed, flips)
    return p


def holm(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """p values of one family, each raised so that the chance of any false finding stays the same.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", 1979: the smallest times their
    number, the next times one less, and so on, none below the one before it, none above 1.
    """
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(raised, 1.0)
    return adjusted


def _exact_p(differences: NDArray[np.float64]) -> float:
    """Of differences that are all other than 0, few enough for every pattern of signs."""
    n = len(differences)
    signs = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1) * 2.0 - 1
    return float(_as_extreme(signs @ differences, differences.sum()).mean())


def _sampled_p(columns: Columns, seed: int, flips: int) -> NDArray[np.float64]:
    dice = np.random.default_rng(seed)
    beyond = np.zeros(columns.shape[1])
    total = columns.sum(axis=0)
    for rows in _blocks(flips, len(columns)):
        signs = dice.integers(0, 2, (rows, len(columns)), dtype=np.int8) * 2.0 - 1
        beyond += _as_extreme(signs @ columns, total).sum(axis=0)
    return (beyond + 1) / (flips + 1)


def _as_extreme(
    sums: NDArray[np.float64], total: NDArray[np.float64] | np.float64
) -> NDArray[np.bool_]:
    far: NDArray[np.bool_] = np.abs(sums) >= np.abs(total) * (1 - _SLACK) - _SLACK
    return far


def _blocks(total: int, width: int) -> Iterator[int]:
    """Sizes of blocks of rows of this width, `total` rows together."""
    most = max(1, _CELLS // max(width, 1))
    for start in range(0, total, most):
        yield min(most, total - start)

"""Measures over ranked ids, computed for all queries of a ranking at once.

A measure prints as its name and gives each query a number from 0 to 1; the figure of a set is the
mean over all of its queries, those without a ranking counting 0. Names that differ from place to
place are used thus:

- `recall@k`: any target among the first k, as papers on composed retrieval count it (FashionIQ, Wu
  et al. 2021; CIRR, Liu et al. 2021); elsewhere hit@k or success@k.
- `recall_fraction@k`: the fraction of the targets among the first k, TREC's recall.
- `map@k`: CIRCO's average precision (Baldrati et al., ICCV 2023), which divides by min(targets, k);
  trec_eval divides by all targets.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
"""`(n,)`: a value for each query."""

Ids = Sequence[str]
"""Ids of ranked images, best first."""


@dataclass(frozen=True)
class Relevance:
    """What stands at each rank of n queries' rankings.

    Attributes:
        grades: `(n, depth)` grade of the image at each rank, 0 for one that is no target and
            beyond a ranking's end.
        ideal: `(n, most)` grades of the query's targets, the highest first, filled up with 0.
        counted: `(n, depth)` whether the image is a target that `recall@k` and MRR count.
        subset: likewise for the search among the query's candidates alone, `(n, depth)`; None
            where there was none.
    """

    grades: NDArray[np.float64]
    ideal: NDArray[np.float64]
    counted: NDArray[np.bool_]
    subset: NDArray[np.bool_] | None = None


def judge(
    rankings: Sequence[Ids],
    targets: Sequence[Mapping[str, int]],
    *,
    counted: Sequence[str | None] | None = None,
    subsets: Sequence[Ids] | None = None,
) -> Relevance:
    """Look up the ranked ids of each query among its targets.

    Args:
        rankings: for each query its ranked ids, best first, none twice; empty without a ranking.
        targets: for each query the id and grade, 1 or more, of its targets.
        counted: for each query the one target that `recall@k` and MRR count; None counts all.
        subsets: for each query the ranking of a search among its candidates alone.
    """
    both = zip(rankings, targets, strict=True)
    grades = _matrix([[known.get(item, 0) for item in ranked] for ranked, known in both])
    ideal = _matrix([sorted(known.values(), reverse=True) for known in targets])
    hits = grades > 0
    if counted is not None:
        for row, (ranked, one) in enumerate(zip(rankings, counted, strict=True)):
            if one is not None:
                hits[row] = False
                hits[row, : len(ranked)] = [item == one for item in ranked]
    found = None
    if subsets is not None:
        pairs = zip(subsets, targets, strict=True)
        found = _matrix([[item in known for item in ranked] for ranked, known in pairs]) > 0
    return Relevance(grades, ideal, hits, found)


def first_target_rank(ranked: Iterable[str], targets: Iterable[str]) -> int | None:
    """Rank, from 1, of the first target in a ranking, or None when it holds none."""
    wanted = set(targets)
    return next((rank for rank, item in enumerate(ranked, 1) if item in wanted), None)


class Measure(Protocol):
    """Gives each query a value from 0 to 1; `str()` gives its name."""

    def __call__(self, relevance: Relevance) -> Values:
        """The value of each query."""
        ...


@runtime_checkable
class RankMeasure(Measure, Protocol):
    """A measure that the rank of the first target alone decides."""

    def of_rank(self, rank: int | None) -> float:
        """The value for a ranking whose first target has this rank, from 1; None without one."""
        ...


@dataclass(frozen=True)
class Recall:
    """`recall@k`: 1 when any target that counts stands in the first k, else 0."""

    k: int

    def __str__(self) -> str:
        return f"recall@{self.k}"

    def __call__(self, relevance: Relevance) -> Values:
        values: Values = np.asarray(relevance.counted[:, : self.k].any(axis=1), np.float64)
        return values

    def of_rank(self, rank: int | None) -> float:
        """The value for a ranking whose first target has this rank, from 1; None without one."""
        return float(rank is not None and rank <= self.k)


@dataclass(frozen=True)
class ReciprocalRank:
    """`mrr`: one over the rank of the first target, 0 when the ranking holds none.

    The mean over queries is the mean reciprocal rank (Voorhees, TREC-8, 1999). It counts within
    the ranking as given: a target below the depth of the run counts 0.
    """

    def __str__(self) -> str:
        return "mrr"

    def __call__(self, relevance: Relevance) -> Values:
        counted = relevance.counted
        if not counted.size:
            return np.zeros(len(counted))
        values: Values = np.where(counted.any(axis=1), 1.0 / (counted.argmax(axis=1) + 1), 0.0)
        return values

    def of_rank(self, rank: int | None) -> float:
        """The value for a ranking whose first target has this rank, from 1; None without one."""
        return 1.0 / rank if rank else 0.0


@dataclass(frozen=True)
class RecallFraction:
    """`recall_fraction@k`: the fraction of the query's targets among the first k."""

    k: int

    def __str__(self) -> str:
        return f"recall_fraction@{self.k}"

    def __call__(self, relevance: Relevance) -> Values:
        hits = (relevance.grades[:, : self.k] > 0).sum(axis=1)
        values: Values = hits / np.maximum(_target_counts(relevance), 1)
        return values


@dataclass(frozen=True)
class AveragePrecision:
    """`map@k`: sum of the precision at each target in the first k, over min(targets, k).

    CIRCO's definition (Baldrati et al., "Zero-Shot Composed Image Retrieval with Textual
    Inversion", ICCV 2023, section 4).
    """

    k: int

    def __str__(self) -> str:
        return f"map@{self.k}"

    def __call__(self, relevance: Relevance) -> Values:
        hits = relevance.grades[:, : self.k] > 0
        precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
        most = np.minimum(np.maximum(_target_counts(relevance), 1), self.k)
        values: Values = (precision * hits).sum(axis=1) / most
        return values


@dataclass(frozen=True)
class DiscountedGain:
    """`ndcg@k`: the grades in the first k over log2(rank + 1), as a share of the best order's.

    Gains are the grades themselves (Järvelin and Kekäläinen, TOIS 20(4), 2002), as in trec_eval.
    """

    k: int

    def __str__(self) -> str:
        return f"ndcg@{self.k}"

    def __call__(self, relevance: Relevance) -> Values:
        best = self._gain(relevance.ideal)
        reached = self._gain(relevance.grades)
        return np.divide(reached, best, out=np.zeros_like(reached), where=best > 0)

    def _gain(self, grades: NDArray[np.float64]) -> Values:
        first = grades[:, : self.k]
        gain: Values = (first / np.log2(np.arange(2, first.shape[1] + 2))).sum(axis=1)
        return gain


@dataclass(frozen=True)
class RecallSubset:
    """`recall_subset@k`: `recall@k` of a search among the query's candidates alone (CIRR)."""

    k: int

    def __str__(self) -> str:
        return f"recall_subset@{self.k}"

    def __call__(self, relevance: Relevance) -> Values:
        if relevance.subset is None:
            raise ValueError("no search among the candidates was judged")
        values: Values = np.asarray(relevance.subset[:, : self.k].any(axis=1), np.float64)
        return values


MEASURES: tuple[RankMeasure, ...] = (
    *(Recall(1), Recall(5), Recall(10), Recall(50)),
    ReciprocalRank(),
)
"""What every run reports where its protocol does not name others."""

_FAMILIES = (Recall, RecallFraction, AveragePrecision, DiscountedGain, RecallSubset)


def is_measure_name(name: str) -> bool:
    """Whether this is the name of a measure, for any k."""
    stem, _, k = name.partition("@")
    known = {str(family(1)).partition("@")[0] for family in _FAMILIES}
    return name == "mrr" or (stem in known and k.isascii() and k.isdigit() and len(k) < 6)


def score(relevance: Relevance, measures: Sequence[Measure] = MEASURES) -> dict[str, Values]:
    """Each measure's value of each query, by the measure's name."""
    return {str(measure): measure(relevance) for measure in measures}


def mean(scores: Mapping[str, Values], rows: Sequence[int] | None = None) -> dict[str, float]:
    """Mean of each measure over queries: all, or those of these rows; 0 where there are none."""
    picked = {name: values if rows is None else values[rows] for name, values in scores.items()}
    return {name: float(each.mean()) if each.size else 0.0 for name, each in picked.items()}


def _target_counts(relevance: Relevance) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = (relevance.ideal > 0).sum(axis=1)
    return counts


def _matrix(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """The rows side by side, filled up with 0; one column at least."""
    matrix = np.zeros((len(rows), max(map(len, rows), default=0) or 1))
    for place, row in enumerate(rows):
        matrix[place, : len(row)] = row
    return matrix

"""Measures over ranked ids: recall@k and MRR.

A measure is a value that prints as its name and maps one query's ranking to a number from 0 to 1;
the figure of a set is the mean over all of its queries, those without a ranking counting 0.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Scores = Mapping[str, float]


class Measure(Protocol):
    """Maps one query's ranking to a number from 0 to 1; `str()` gives its name."""

    def __call__(self, ranked: Sequence[str], targets: Collection[str]) -> float:
        """The value for ids ranked best first, against the ids of the targets."""
        ...

    def of_rank(self, rank: int | None) -> float:
        """The value for a ranking whose first target has this rank, from 1; None without one."""
        ...


def first_target_rank(ranked: Iterable[str], targets: Collection[str]) -> int | None:
    """Rank, from 1, of the first target in a ranking, or None when it holds none."""
    return next((rank for rank, item in enumerate(ranked, 1) if item in targets), None)


@dataclass(frozen=True)
class Recall:
    """`recall@k`: 1 when any target stands in the first k, else 0.

    This is the measure of the composed retrieval papers (FashionIQ, Wu et al. 2021; CIRR, Liu et
    al. 2021), elsewhere called hit@k or success@k. TREC's measure, the fraction of the targets
    that was found, is another one.
    """

    k: int

    def __str__(self) -> str:
        return f"recall@{self.k}"

    def __call__(self, ranked: Sequence[str], targets: Collection[str]) -> float:
        """1.0 when any of the first `k` ids is a target, else 0.0."""
        return self.of_rank(first_target_rank(ranked[: self.k], targets))

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

    def __call__(self, ranked: Sequence[str], targets: Collection[str]) -> float:
        """One over the rank of the first target, 0.0 without one."""
        return self.of_rank(first_target_rank(ranked, targets))

    def of_rank(self, rank: int | None) -> float:
        """The value for a ranking whose first target has this rank, from 1; None without one."""
        return 1.0 / rank if rank else 0.0


MEASURES: tuple[Measure, ...] = (Recall(1), Recall(5), Recall(10), Recall(50), ReciprocalRank())


def score(ranked: Sequence[str], targets: Collection[str]) -> Scores:
    """Every measure's value for one query: ids ranked best first, and the targets' ids."""
    return {str(measure): measure(ranked, targets) for measure in MEASURES}


def mean(scores: Collection[Scores]) -> dict[str, float]:
    """Mean of each measure over queries, 0 for each when there are none."""
    count = len(scores)
    return {
        name: sum(one[name] for one in scores) / count if count else 0.0
        for name in map(str, MEASURES)
    }

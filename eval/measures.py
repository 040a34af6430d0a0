"""Measures over ranked ids, computed for all queries of a ranking at once.

A measure is a value that prints as its name and parses from it (`parse_measure("recall@20")`). It
gives each query a number from 0 to 1; the figure of a set is the mean over all of its queries,
those without a ranking counting 0. To add one, write its class here: commands, pages and reports
find it by its name. Names that differ from place to place are used thus:

- `recall@k`: any target among the first k, as papers on composed retrieval count it (FashionIQ, Wu
  et al. 2021; CIRR, Liu et al. 2021); elsewhere hit@k or success@k.
- `recall_fraction@k`: the fraction of the targets among the first k, TREC's recall.
- `recall@10+recall@50`: the mean of both, as papers print a headline figure: FashionIQ's, and
  `recall@5+recall_subset@1` is CIRR's.
- `map@k`: CIRCO's average precision (Baldrati et al., ICCV 2023), which divides by min(targets, k).
- `map_cut@k`: trec_eval's, which divides by all targets.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from cir.errors import UsageError

Values = NDArray[np.float64]
"""`(n,)`: a value for each query."""

FirstRanks = NDArray[np.float64]
"""`(n,)`: for each query the rank of its first target, from 1; infinity where there is none."""

Ids = Sequence[str]
"""Ids of ranked images, best first."""

DEPTH = 100
"""Length of a ranking, where no measure looks deeper; MRR counts a target below it as not found."""


def first_target_rank(ranked: Iterable[str], targets: Iterable[str]) -> int | None:
    """Rank, from 1, of the first target in a ranking, or None when it holds none."""
    wanted = set(targets)
    return next((rank for rank, item in enumerate(ranked, 1) if item in wanted), None)


def first_ranks(ranks: Iterable[int | None]) -> FirstRanks:
    """Ranks as `first_target_rank` gives them, for measures."""
    return np.array([np.inf if rank is None else rank for rank in ranks], np.float64)


@dataclass(frozen=True)
class Relevance:
    """What stands at each rank of n queries' rankings.

    Attributes:
        grades: `(n, depth)` grade of the image at each rank, 0 for one that is no target and
            beyond a ranking's end.
        ideal: `(n, most)` grades of the query's targets, the highest first, filled up with 0.
        ranks: of the first target that `recall@k` and MRR count.
        subset_ranks: likewise for the search among the query's candidates alone; None where there
            was none.
        negatives: `(n, depth)` whether the image at each rank was judged to be no target; None
            where nothing was.
    """

    grades: NDArray[np.float64]
    ideal: NDArray[np.float64]
    ranks: FirstRanks
    subset_ranks: FirstRanks | None = None
    negatives: NDArray[np.bool_] | None = None

    @property
    def target_counts(self) -> NDArray[np.int64]:
        """`(n,)` numbers of targets."""
        counts: NDArray[np.int64] = (self.ideal > 0).sum(axis=1)
        return counts


def judge(
    rankings: Sequence[Ids],
    targets: Sequence[Mapping[str, int]],
    *,
    counted: Sequence[str | None] | None = None,
    subsets: Sequence[Ids] | None = None,
    negatives: Sequence[Collection[str]] | None = None,
) -> Relevance:
    """Look up the ranked ids of each query among its targets.

    Args:
        rankings: for each query its ranked ids, best first, none twice; empty without a ranking.
        targets: for each query the id and grade, 1 or more, of its targets.
        counted: for each query the one target that `recall@k` and MRR count; None counts all.
        subsets: for each query the ranking of a search among its candidates alone.
        negatives: for each query the images that were judged to be no target.
    """
    both = zip(rankings, targets, strict=True)
    grades = _matrix([[known.get(item, 0) for item in ranked] for ranked, known in both])
    ideal = _matrix([sorted(known.values(), reverse=True) for known in targets])
    wanted: Sequence[Iterable[str]] = targets
    if counted is not None:
        pairs = zip(targets, counted, strict=True)
        wanted = [known if one is None else (one,) for known, one in pairs]
    found = None if subsets is None else _first_ranks(subsets, targets)
    judged_out = None
    if negatives is not None and any(negatives):
        pairs_out = zip(rankings, map(frozenset, negatives), strict=True)
        judged_out = _matrix([[item in out for item in ranked] for ranked, out in pairs_out]) > 0
    return Relevance(grades, ideal, _first_ranks(rankings, wanted), found, judged_out)


class Measure:
    """Gives each query a value from 0 to 1; `str()` gives its name.

    A class defines `of_ranks` if the rank of the first target alone decides the value; otherwise
    it defines `__call__`.

    Attributes:
        family: its name, without `@k`.
        title: its name for people, where that is not the one above.
        help: what its mean over queries is, for people: no capital, no full stop.
        among_candidates: whether it judges a search among the query's candidates alone.
        of_negatives: whether it needs images that were judged to be no target.
        lower_is_better: whether a system is the better the lower it is.
        on_judgements: whether it tells of what was judged rather than of what is found.
    """

    family: ClassVar[str]
    title: ClassVar[str] = ""
    help: ClassVar[str]
    among_candidates: ClassVar[bool] = False
    of_negatives: ClassVar[bool] = False
    lower_is_better: ClassVar[bool] = False
    on_judgements: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "family" in vars(cls):
            FAMILIES[cls.family] = cls

    def __call__(self, relevance: Relevance) -> Values:
        """The value of each query."""
        return self.of_ranks(relevance.ranks)

    def of_ranks(self, ranks: FirstRanks) -> Values:
        """The value of each query from the rank of its first target, where `by_rank` is true."""
        raise NotImplementedError(f"{self} is not decided by the rank of the first target")

    @property
    def by_rank(self) -> bool:
        """Whether the rank of the first target alone decides the value."""
        return type(self).of_ranks is not Measure.of_ranks

    @property
    def depth(self) -> int:
        """How many ranks it looks at; 0 for as many as there are."""
        return 0

    @property
    def parts(self) -> "tuple[Measure, ...]":
        """The measures that it is the mean of: itself alone but for an `Average`."""
        return (self,)

    @classmethod
    def at(cls, k: int | None) -> Self | None:
        """The measure of this family with a cutoff; None where it takes none, or needs one."""
        return cls() if k is None else None

    @classmethod
    def pattern(cls) -> str:
        """Its name with `k` for the cutoff."""
        return cls.family

    def __str__(self) -> str:
        return self.family


FAMILIES: dict[str, type[Measure]] = {}
"""Every measure by its family."""


@dataclass(frozen=True)
class AtCutoff(Measure):
    """A measure of the first k images; its name is `family@k`.

    Attributes:
        k: 1 or more.
    """

    k: int

    @property
    def depth(self) -> int:
        """How many ranks it looks at."""
        return self.k

    @classmethod
    def at(cls, k: int | None) -> Self | None:
        """The measure of this family with a cutoff; None without one."""
        return None if k is None else cls(k)

    @classmethod
    def pattern(cls) -> str:
        """Its name with `k` for the cutoff."""
        return f"{cls.family}@k"

    def __str__(self) -> str:
        return f"{self.family}@{self.k}"


class Recall(AtCutoff):
    """`recall@k`: 1 when any target that counts stands in the first k, else 0."""

    family = "recall"
    help = "the share of queries with a target among the first k images"

    def of_ranks(self, ranks: FirstRanks) -> Values:
        """1 for a rank up to k."""
        return (ranks <= self.k).astype(np.float64)


@dataclass(frozen=True)
class ReciprocalRank(Measure):
    """`mrr`: one over the rank of the first target, 0 when the ranking holds none.

    The mean over queries is the mean reciprocal rank (Voorhees, TREC-8, 1999). It counts within
    the ranking as given: a target below the depth of the run counts 0.
    """

    family = "mrr"
    title = "MRR"
    help = "the mean of one over the rank of the first target"

    def of_ranks(self, ranks: FirstRanks) -> Values:
        """One over the rank."""
        return 1.0 / ranks


class RecallFraction(AtCutoff):
    """`recall_fraction@k`: the fraction of the query's targets among the first k."""

    family = "recall_fraction"
    help = "the fraction of a query's targets that are among the first k images"

    def __call__(self, relevance: Relevance) -> Values:
        hits = (relevance.grades[:, : self.k] > 0).sum(axis=1)
        values: Values = hits / np.maximum(relevance.target_counts, 1)
        return values


class AveragePrecision(AtCutoff):
    """`map@k`: sum of the precision at each target in the first k, over min(targets, k).

    CIRCO's definition (Baldrati et al., "Zero-Shot Composed Image Retrieval with Textual
    Inversion", ICCV 2023, section 4).
    """

    family = "map"
    help = "the precision at each target among the first k images, summed, over min(targets, k)"

    def __call__(self, relevance: Relevance) -> Values:
        most = np.minimum(np.maximum(relevance.target_counts, 1), self.k)
        return _summed_precision(relevance, self.k) / most


class AveragePrecisionOfAll(AtCutoff):
    """`map_cut@k`: sum of the precision at each target in the first k, over all targets.

    trec_eval's `map_cut` (https://github.com/usnistgov/trec_eval, `m_map_cut.c`).
    """

    family = "map_cut"
    help = "the precision at each target among the first k images, summed, over all targets"

    def __call__(self, relevance: Relevance) -> Values:
        return _summed_precision(relevance, self.k) / np.maximum(relevance.target_counts, 1)


class DiscountedGain(AtCutoff):
    """`ndcg@k`: the grades in the first k over log2(rank + 1), as a share of the best order's.

    Gains are the grades themselves (Järvelin and Kekäläinen, TOIS 20(4), 2002), as in trec_eval.
    """

    family = "ndcg"
    help = "the grades of the first k images, discounted by rank, as a share of the best order's"

    def __call__(self, relevance: Relevance) -> Values:
        best = self._gain(relevance.ideal)
        reached = self._gain(relevance.grades)
        return np.divide(reached, best, out=np.zeros_like(reached), where=best > 0)

    def _gain(self, grades: NDArray[np.float64]) -> Values:
        first = grades[:, : self.k]
        gain: Values = (first / np.log2(np.arange(2, first.shape[1] + 2))).sum(axis=1)
        return gain


class RecallSubset(AtCutoff):
    """`recall_subset@k`: `recall@k` of a search among the query's candidates alone (CIRR)."""

    family = "recall_subset"
    help = "recall@k of a search among each query's candidates alone"
    among_candidates = True

    def __call__(self, relevance: Relevance) -> Values:
        if relevance.subset_ranks is None:
            raise ValueError("no search among the candidates was judged")
        return (relevance.subset_ranks <= self.k).astype(np.float64)


class Negatives(AtCutoff):
    """`negatives@k`: the share of the first k images that were judged to be no target.

    The hard negatives of a set, such as images that keep what the instruction changes; PinPoint
    (arXiv 2603.04598, 2026) counts how often they stand among the first ten. Images that nobody has
    judged do not count, nor do places beyond a ranking's end.
    """

    family = "negatives"
    help = "the share of the first k images that were judged to be no target; lower is better"
    of_negatives = True
    lower_is_better = True
    on_judgements = True

    def __call__(self, relevance: Relevance) -> Values:
        if relevance.negatives is None:
            raise ValueError("no image was judged to be no target")
        values: Values = relevance.negatives[:, : self.k].sum(axis=1) / self.k
        return values


class Judged(AtCutoff):
    """`judged@k`: the share of the first k images that were judged, targets or not.

    Where it is low the other measures say little: what nobody has looked at counts as wrong. Called
    so in ir_measures; places beyond a ranking's end count as not judged.
    """

    family = "judged"
    help = "the share of the first k images that were judged at all, as targets or not"
    on_judgements = True

    def __call__(self, relevance: Relevance) -> Values:
        known = relevance.grades > 0
        if relevance.negatives is not None:
            known = known | relevance.negatives
        values: Values = known[:, : self.k].sum(axis=1) / self.k
        return values


@dataclass(frozen=True)
class Average(Measure):
    """`recall@10+recall@50`: the mean of several measures, for each query and so for the set.

    Attributes:
        of: two or more, each once.
    """

    of: tuple[Measure, ...]

    @property
    def parts(self) -> tuple[Measure, ...]:
        """The measures that it is the mean of."""
        return self.of

    def __call__(self, relevance: Relevance) -> Values:
        return _mean_of([part(relevance) for part in self.parts])

    def of_ranks(self, ranks: FirstRanks) -> Values:
        """The mean of what the rank gives for each part."""
        return _mean_of([part.of_ranks(ranks) for part in self.parts])

    @property
    def by_rank(self) -> bool:
        """Whether it decides each part."""
        return all(part.by_rank for part in self.parts)

    @property
    def depth(self) -> int:
        """How many ranks the deepest part looks at."""
        return max(part.depth for part in self.parts)

    def __str__(self) -> str:
        return "+".join(map(str, self.parts))


MEASURES: tuple[Measure, ...] = (
    *(Recall(1), Recall(5), Recall(10), Recall(50)),
    ReciprocalRank(),
)
"""What every run reports where its protocol does not name others; ranks alone decide them."""

_NAME = re.compile(r"([a-z][a-z0-9_]*)(?:@([1-9][0-9]{0,4}))?")
_USUAL_K = 10


def find_measure(name: str) -> Measure | None:
    """The measure of this name; None where there is none."""
    if "+" in name:
        parts = [find_measure(part) for part in name.split("+")]
        known = [part for part in parts if part is not None]
        if any(part.lower_is_better for part in known):
            return None  # a mean with others would tell nothing
        return Average(tuple(known)) if len(set(known)) == len(parts) else None
    match = _NAME.fullmatch(name)
    kind = FAMILIES.get(match[1]) if match else None
    if match is None or kind is None:
        return None
    return kind.at(int(match[2]) if match[2] else None)


def parse_measure(name: str) -> Measure:
    """The measure of this name, for example `recall@20`; k is from 1 to 99,999.

    Raises:
        UsageError: there is none; the message names the families and the nearest.
    """
    measure = find_measure(name)
    if measure is None:
        raise UsageError(
            f"There is no measure {name!r}: write one of {patterns()}, with a number for k."
            f"{_nearest(name)}"
        )
    return measure


def patterns() -> str:
    """The names of all measures, with `k` for a cutoff, for messages."""
    return ", ".join(kind.pattern() for kind in FAMILIES.values())


def heading(name: str) -> str:
    """A measure's name as a heading for people."""
    measure = find_measure(name)
    if measure is not None and len(measure.parts) > 1:
        return (
            f"({' + '.join(heading(str(part)) for part in measure.parts)}) / {len(measure.parts)}"
        )
    return (measure and measure.title) or name


def explained(names: Iterable[str]) -> str:
    """What the measures of these names are, a sentence for each family."""
    found = filter(None, map(find_measure, names))
    kinds = dict.fromkeys(type(part) for measure in found for part in measure.parts)
    return " ".join(f"{kind.title or kind.pattern()}: {kind.help}." for kind in kinds)


def _nearest(name: str) -> str:
    match = _NAME.search(name.lower())
    close = get_close_matches(match[1], FAMILIES, n=1) if match else []
    if match is None or not close:
        return ""
    kind = FAMILIES[close[0]]
    return f" Did you mean {kind.at(None) or kind.at(int(match[2] or _USUAL_K))}?"


def depth_of(measures: Iterable[Measure]) -> int:
    """How deep rankings must reach for these measures: `DEPTH`, or the largest k beyond it."""
    parts = [part for each in measures for part in each.parts]
    return max([DEPTH, *(each.depth for each in parts if not each.among_candidates)])


def score(relevance: Relevance, measures: Sequence[Measure] = MEASURES) -> dict[str, Values]:
    """Each measure's value of each query, by the measure's name."""
    return {str(measure): measure(relevance) for measure in measures}


def mean(scores: Mapping[str, Values], rows: Sequence[int] | None = None) -> dict[str, float]:
    """Mean of each measure over queries: all, or those of these rows; 0 where there are none."""
    picked = {name: values if rows is None else values[rows] for name, values in scores.items()}
    return {name: float(each.mean()) if each.size else 0.0 for name, each in picked.items()}


def _summed_precision(relevance: Relevance, k: int) -> Values:
    """Of each query the sum of the precision at each target among the first k."""
    hits = relevance.grades[:, :k] > 0
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    values: Values = (precision * hits).sum(axis=1)
    return values


def _first_ranks(rankings: Sequence[Ids], targets: Sequence[Iterable[str]]) -> FirstRanks:
    pairs = zip(rankings, targets, strict=True)
    return first_ranks(first_target_rank(ranked, wanted) for ranked, wanted in pairs)


def _mean_of(columns: Sequence[Values]) -> Values:
    values: Values = np.mean(columns, axis=0)
    return values


def _matrix(rows: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """The rows side by side, filled up with 0; one column at least."""
    matrix = np.zeros((len(rows), max(map(len, rows), default=0) or 1))
    for place, row in enumerate(rows):
        matrix[place, : len(row)] = row
    return matrix

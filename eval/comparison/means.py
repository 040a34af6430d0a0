"""Means over several labelled sets compared: FashionIQ's three categories as one figure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cir.errors import UsageError
from eval.comparison.comparing import cluster_notes, differing_conditions, interval, points, verdict
from eval.comparison.paired import (
    LEVEL,
    SEED,
    Contender,
    Difference,
    Paired,
    is_one_draw,
    paired_values,
    usual_measure,
)
from eval.measures import parse_measure
from eval.runs.averaging import mean_of_runs
from eval.runs.reading import Run
from eval.stats import Clusters, bootstrap_means, interval_of, sign_flip_p

Floats = NDArray[np.float64]
"""`(queries, measures)`."""


@dataclass(frozen=True)
class MeanComparison:
    """The mean over several sets of one system minus that of another.

    Attributes:
        sets: names of the labelled sets.
        first, this: measure -> mean over the sets of the first system, and of this one.
        differences: measure -> this minus first; better, worse and same count queries of all sets.
        measure: the one that conclusions are drawn about.
        words: what may be concluded.
        notes: what the figures do not say, a sentence each.
    """

    sets: tuple[str, ...]
    first: dict[str, float]
    this: dict[str, float]
    differences: dict[str, Difference]
    measure: str
    words: str
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """All of it for JSON."""
        return {
            "against": self.first,
            "measure": self.measure,
            "differences": {name: asdict(each) for name, each in self.differences.items()},
            "words": self.words,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        """Figures, differences and conclusions as plain text."""
        width = max(map(len, self.differences))
        lines = [
            f"{name:{width}}  {self.first[name]:.4f}  {self.this[name]:.4f}  {points(it.delta):>6}"
            f"  {interval(it)}  p = {it.p:.2g}"
            for name, it in self.differences.items()
        ]
        return "\n".join([*lines, self.words, *self.notes])


def compare_means(
    first: Sequence[Run], this: Sequence[Run], *, measure: str | None = None, seed: int = SEED
) -> MeanComparison:
    """Compare one system's mean over labelled sets with another's, in one test over all queries.

    Each set counts once, however many queries it has, as in `eval.runs.averaging`. Resamples draw
    the queries, or clusters of them, of each set apart (Davison and Hinkley, "Bootstrap Methods and
    their Application", 1997, section 3.2); for the test a query weighs one over the number of
    queries of its set, and signs are random as in `eval.stats.sign_flip_p`.

    Args:
        first: runs of one system, one a set.
        this: runs of another system on the same sets, in any order.
        measure: what conclusions are drawn about; None takes what papers rank systems by where the
            sets have it, else the usual one.
        seed: of resamples and signs.

    Raises:
        UsageError: a side is no mean, see `eval.runs.averaging.mean_of_runs`; the runs are not of
            the same sets searched in the same images, or have no measure in common.
    """
    chosen = None if measure is None else str(parse_measure(measure))
    for side in (first, this):
        mean_of_runs(side)
    pairs = [_pair(run, this) for run in first]
    if len(this) != len(first) or len({id(other) for _, other in pairs}) < len(pairs):
        raise UsageError("Name one run a set on either side: both means are over the same sets.")
    found = [paired_values([Contender(a), Contender(b)], chosen, None) for a, b in pairs]
    names = [name for name in found[0].names if all(name in each.names for each in found)]
    told = chosen or next((name for name in names if "+" in name), usual_measure(names))
    columns = [_columns(each, names) for each in found]
    changes = [after - before for before, after in columns]
    sets = len(found)
    means = sum(
        bootstrap_means(change, seed=[seed, place], clusters=each.clusters) / sets
        for place, (change, each) in enumerate(zip(changes, found, strict=True))
    )
    low, high = interval_of(np.asarray(means), 1 - LEVEL)
    weighed = np.concatenate([change / (sets * len(change)) for change in changes])
    p = sign_flip_p(weighed, seed=seed, clusters=_numbered(found))
    one_draw = any(is_one_draw(each.clusters) for each in found)
    if one_draw:
        p = np.ones(len(names))
    up = np.array([-1.0 if parse_measure(name).lower_is_better else 1.0 for name in names])
    better, worse = (weighed * up > 0).sum(axis=0), (weighed * up < 0).sum(axis=0)
    delta = weighed.sum(axis=0)
    differences = {
        name: Difference(
            delta=float(delta[at]),
            low=None if one_draw else float(low[at]),
            high=None if one_draw else float(high[at]),
            p=float(p[at]),
            p_holm=float(p[at]),
            better=int(better[at]),
            worse=int(worse[at]),
            same=int(len(weighed) - better[at] - worse[at]),
        )
        for at, name in enumerate(names)
    }
    clustered = [each for each in found if each.clusters is not None]
    shared = clustered[0].table.shared if clustered else ""
    count = sum(len(each.table.ids) if each.clusters is None else each.count for each in found)
    sides = [f"the mean of {', '.join(run.name for run in side)}," for side in (first, this)]
    return MeanComparison(
        sets=tuple(run.set for run in first),
        first=_means(names, [before for before, _ in columns]),
        this=_means(names, [after for _, after in columns]),
        differences=differences,
        measure=told,
        words=verdict(
            sides[0],
            sides[1],
            told,
            differences[told],
            f"over {count} {shared}s" if shared else "",
        ),
        notes=(
            *cluster_notes(
                count if shared else 0,
                shared,
                known=all(each.table.clusters is not None for each in found),
            ),
            *dict.fromkeys(note for pair in pairs for note in differing_conditions(pair)),
        ),
    )


def _pair(run: Run, others: Sequence[Run]) -> tuple[Run, Run]:
    for other in others:
        if run.same_set(other):
            return run, other
    raise UsageError(
        f"None of the other runs asked {run.set}, as {run.name} did: both means are over the same "
        "sets."
    )


def _means(names: Sequence[str], values: Sequence[Floats]) -> dict[str, float]:
    """Measure -> mean over the sets, each counting once."""
    means = np.mean([each.mean(axis=0) for each in values], axis=0)
    return dict(zip(names, means.tolist(), strict=True))


def _columns(found: Paired, names: Sequence[str]) -> list[Floats]:
    places = [found.names.index(name) for name in names]
    return [values[:, places] for values in found.stacked]


def _numbered(found: Sequence[Paired]) -> Clusters | None:
    """A number for each query's cluster over all sets; queries that count alone have their own."""
    if all(each.clusters is None for each in found):
        return None
    parts, start = [], 0
    for each in found:
        part = np.arange(len(each.table.ids)) if each.clusters is None else each.clusters
        parts.append(part + start)
        start += len(part)
    return np.concatenate(parts)

"""Recall curves of runs with their intervals, and what a run costs beside what it reaches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eval.comparison.paired import LEVEL, SEED, cluster_numbers, is_one_draw
from eval.measures import first_ranks
from eval.runs.queries import with_clusters
from eval.runs.ranks import CURVE_DEPTH, RankTable
from eval.runs.reading import Run
from eval.stats import bootstrap_intervals

_RESAMPLES = 2000  # whose ends differ from those of 10,000 by less than a line is wide


@dataclass(frozen=True)
class Curve:
    """recall@k for k from 1.

    Attributes:
        values: 0 to 1, for each k.
        low, high: ends of the 95 % interval at each k by itself; empty where none is known.
    """

    values: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()


def recall_curves(run: Run, table: RankTable) -> dict[str, Curve]:
    """Mode -> its curve. The intervals are those of `eval.stats`, by cluster where there are any.

    Args:
        run: of which the table is; it knows its labelled set where the table has no clusters.
        table: of all of its queries, or of those of one group.
    """
    clusters, _ = cluster_numbers(with_clusters(run, table))
    curves = {}
    for mode, ranks in table.ranks.items():
        hits = (first_ranks(ranks)[:, None] <= np.arange(1, CURVE_DEPTH + 1)).astype(np.float64)
        if not len(hits):
            continue
        values = hits.mean(axis=0).tolist()
        if len(hits) == 1 or is_one_draw(clusters):
            curves[mode] = Curve(values)
            continue
        low, high = bootstrap_intervals(
            hits, seed=SEED, level=1 - LEVEL, resamples=_RESAMPLES, clusters=clusters
        ).tolist()
        curves[mode] = Curve(values, low, high)
    return curves


def milliseconds(run: Run) -> float | None:
    """Milliseconds a query: encoding and search, of all ways to ask that the run has.

    None where the run does not tell, as one of another system.
    """
    seconds = run.part("seconds")
    told = [seconds.get(stage) for stage in ("encoding", "search")]
    spent = [float(each) for each in told if isinstance(each, int | float) and each >= 0]
    asked = run.queries * len(run.modes)
    total = sum(spent, 0.0)
    return 1000 * total / asked if asked and total and len(spent) == len(told) else None


def peak_memory(run: Run) -> int | None:
    """Bytes of memory that the process of the run had held at most by its end; None if not told."""
    told = run.document.get("peak_memory")
    return told if isinstance(told, int) and told > 0 else None


def undominated(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of the points that no other beats in both, the cheapest first: the Pareto front.

    Args:
        points: name -> cost, less being better, and quality, more being better.
    """
    front: list[str] = []
    best = -np.inf
    for name, (_, quality) in sorted(points.items(), key=lambda each: (each[1][0], -each[1][1])):
        if quality > best:
            front.append(name)
            best = quality
    return front

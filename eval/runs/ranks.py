"""What a run's table of queries tells: figures, also by group, recall curves, composition."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cir.cells import safe_cell
from cir.errors import UsageError
from eval.errors import BenchWayOut
from eval.measures import (
    DEPTH,
    MEASURES,
    Measure,
    Recall,
    Values,
    find_measure,
    first_ranks,
    heading,
    mean,
)
from eval.sets.labelled import NO_GROUP

if TYPE_CHECKING:
    from eval.runs.reading import Run

CURVE_DEPTH = 50
"""The largest k of a recall@k curve."""

COMPOSED = "composed"

MODE_NAMES = {
    "composed": "Composed",
    "image": "Image only",
    "text": "Text only",
    "sum": "Sum",
}
"""What the ways to ask are called for people."""

Ranks = Sequence[int | None]
"""Rank of the first target of each query, from 1; None where the ranking holds none."""


@dataclass(frozen=True)
class RankTable:
    """`queries.csv` of a run.

    Attributes:
        groups: the groups of each query, in the table's order.
        ranks: mode -> the ranks, in the same order.
        values: mode -> measure -> its value for each query, of measures that a rank does not give.
        ids: of the queries.
        depth: how many ranks a ranking has; a target below is not found.
        clusters: of each query the name of those that it shares images with, "" for one that
            stands alone; none where all do. None where the table does not tell.
        shared: what the queries of a cluster share, one of it in words.
    """

    groups: tuple[tuple[str, ...], ...]
    ranks: Mapping[str, tuple[int | None, ...]]
    values: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    depth: int = DEPTH
    clusters: tuple[str, ...] | None = None
    shared: str = ""

    @property
    def group_names(self) -> tuple[str, ...]:
        """The groups in order of appearance; none when no query has a group."""
        if not any(self.groups):
            return ()
        return tuple(dict.fromkeys(name for each in self.groups for name in each or (NO_GROUP,)))

    def of_group(self, name: str) -> "RankTable":
        """The queries of one group alone."""
        places = [n for n, each in enumerate(self.groups) if name in (each or (NO_GROUP,))]
        return RankTable(
            tuple(self.groups[n] for n in places),
            {mode: tuple(ranks[n] for n in places) for mode, ranks in self.ranks.items()},
            {
                mode: {key: tuple(column[n] for n in places) for key, column in columns.items()}
                for mode, columns in self.values.items()
            },
            tuple(self.ids[n] for n in places) if self.ids else (),
            self.depth,
            tuple(self.clusters[n] for n in places) if self.clusters else self.clusters,
            self.shared,
        )

    def tells(self, measure: Measure, mode: str = COMPOSED) -> bool:
        """Whether the table tells a measure's values.

        It does of the measures that a rank decides, no deeper than the rankings, and of those that
        were measured in the run.
        """
        if measure.by_rank:
            return measure.depth <= self.depth
        told = str(measure) in self.values.get(mode, {})
        return told or all(part is not measure and self.tells(part, mode) for part in measure.parts)

    def values_of(self, measure: Measure, mode: str = COMPOSED) -> Values:
        """A measure's value of each query.

        Raises:
            UsageError: the table does not tell.
        """
        if not self.tells(measure, mode):
            raise UsageError(
                f"The rankings hold {self.depth} images a query, {measure} looks deeper."
                if measure.by_rank
                else f"{measure} was not measured.",
                BenchWayOut.MEASURE_IT,
            )
        if measure.by_rank:
            return measure.of_ranks(first_ranks(self.ranks[mode]))
        column = self.values.get(mode, {}).get(str(measure))
        if column is not None:
            return np.array(column, np.float64)
        values: Values = np.mean([self.values_of(part, mode) for part in measure.parts], axis=0)
        return values

    def figures(self, names: Iterable[str] = ()) -> dict[str, dict[str, float]]:
        """Mode -> mean over the queries of the usual measures, those in the table, and others.

        Args:
            names: of the others; those that the table does not tell are left out.
        """
        return {
            mode: mean(
                {
                    str(measure): self.values_of(measure, mode)
                    for measure in self._measures(mode, names)
                    if self.tells(measure, mode)
                }
            )
            for mode in self.ranks
        }

    def curves(self) -> dict[str, list[float]]:
        """Mode -> recall@k for k from 1 to `CURVE_DEPTH`."""
        return {mode: recall_curve(ranks) for mode, ranks in self.ranks.items()}

    def _measures(self, mode: str, names: Iterable[str]) -> list[Measure]:
        wanted = (*map(str, MEASURES), *self.values.get(mode, {}), *names)
        return [found for name in dict.fromkeys(wanted) if (found := find_measure(name))]


def by_group(
    run: "Run", table: RankTable | None, further: Iterable[str] = ()
) -> dict[str, Mapping[str, Mapping[str, float]]]:
    """Group -> mode -> figures; without the table of ranks of the composed query alone.

    Args:
        run: whose figures.
        table: of the run.
        further: measures beside those of the run, as far as the table tells of them.
    """
    if table is not None:
        names = [*run.metrics, *further]
        return {name: table.of_group(name).figures(names) for name in table.group_names}
    return {name: {COMPOSED: figures} for name, figures in run.groups.items()}


def figures_csv(run: "Run", table: RankTable | None) -> str:
    """A line for each mode over all queries, then for each group and mode."""
    import pandas

    parts = [("all", run.modes), *by_group(run, table).items()]
    rows: list[dict[str, object]] = [
        {"run": run.name, "queries": name, "mode": mode}
        | {measure: figures.get(measure, "") for measure in run.metrics}
        for name, modes in parts
        for mode, figures in modes.items()
    ]
    return pandas.DataFrame(rows).map(safe_cell).to_csv(index=False, lineterminator="\n")


def recall_curve(ranks: Ranks, depth: int = CURVE_DEPTH) -> list[float]:
    """recall@k for k from 1 to `depth`."""
    found = first_ranks(ranks)
    values = mean({str(k): Recall(k).of_ranks(found) for k in range(1, depth + 1)})
    return list(values.values())


@dataclass(frozen=True)
class Gain:
    """What composing brings: the composed query beside the best of the other modes.

    Attributes:
        composed: the composed query's figure.
        best: the highest figure of the others.
        mode: the mode that has it.
    """

    composed: float
    best: float
    mode: str

    @property
    def points(self) -> float:
        """Percentage points by which the composed query is ahead; negative when it is behind."""
        return 100 * (self.composed - self.best)

    @property
    def is_saturated(self) -> bool:
        """Whether both are full, so that the measure cannot tell what composing brings."""
        return self.composed == self.best == 1.0


def composition_gain(modes: Mapping[str, Mapping[str, float]], measure: str) -> Gain | None:
    """The gain in one measure; None without figures of the composed query and of another mode.

    None also for a measure that is the better the lower it is, and for how much was judged: what
    these tell is not how well something is found.
    """
    kind = find_measure(measure)
    if kind is not None and kind.on_judgements:
        return None
    values = {mode: figures[measure] for mode, figures in modes.items() if measure in figures}
    composed = values.pop(COMPOSED, None)
    if composed is None or not values:
        return None
    mode = max(values, key=lambda name: values[name])
    return Gain(composed, values[mode], mode)


def telling_measure(modes: Mapping[str, Mapping[str, float]], usual: str) -> str:
    """The first measure that can tell what composing brings.

    Args:
        modes: mode -> measure -> figure.
        usual: tried first, then the composed query's others in order; also what is given where all
            are saturated, or where there is no gain to speak of.
    """
    for name in dict.fromkeys([usual, *modes.get(COMPOSED, {})]):
        gain = composition_gain(modes, name)
        if gain is not None and not gain.is_saturated:
            return name
    return usual


def wording_words(spread: Mapping[str, Any] | None, usual: str = "recall@10") -> list[str]:
    """How much the figures of a run depend on the wording, in words; nothing without wordings.

    Args:
        spread: `wordings` of the run's document.
        usual: the measure that is told; another where it was not measured.
    """
    metrics = (spread or {}).get("metrics")
    if not isinstance(metrics, dict) or not metrics or spread is None:
        return []
    name = usual if usual in metrics else next(iter(metrics))
    try:
        mean_of, worst, width = (float(metrics[name][key]) for key in ("mean", "worst", "spread"))
        queries, wordings = int(spread["queries"]), int(spread["wordings"])
    except (KeyError, TypeError, ValueError):
        return []  # of an upload: nothing of it was checked
    return [
        f"Wordings: {queries} queries are asked in {wordings} wordings; {heading(name)} is "
        f"{mean_of:.3f} on average, {worst:.3f} with the worst wording of each, and {width:.3f} "
        "apart between best and worst."
    ]

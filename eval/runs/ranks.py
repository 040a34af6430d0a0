"""What the ranks of the first targets tell: recall@k over k, figures by group, composition."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eval.measures import MEASURES
from eval.sets.labelled import NO_GROUP

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
    """

    groups: tuple[tuple[str, ...], ...]
    ranks: Mapping[str, tuple[int | None, ...]]
    values: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    ids: tuple[str, ...] = ()

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
        )

    def figures(self) -> dict[str, dict[str, float]]:
        """Mode -> every measure's mean over the queries."""
        return {
            mode: figures_of_ranks(ranks)
            | {
                name: sum(column) / len(column) if column else 0.0
                for name, column in self.values.get(mode, {}).items()
            }
            for mode, ranks in self.ranks.items()
        }

    def curves(self) -> dict[str, list[float]]:
        """Mode -> recall@k for k from 1 to `CURVE_DEPTH`."""
        return {mode: recall_curve(ranks) for mode, ranks in self.ranks.items()}


def figures_of_ranks(ranks: Ranks) -> dict[str, float]:
    """Mean of each measure, by its name, over queries; 0 for each when there are none."""
    return {
        str(measure): sum(map(measure.of_rank, ranks)) / len(ranks) if ranks else 0.0
        for measure in MEASURES
    }


def recall_curve(ranks: Ranks, depth: int = CURVE_DEPTH) -> list[float]:
    """Share of the queries whose first target stands in the first k, for k from 1 to `depth`."""
    at_rank = [0] * (depth + 1)
    for rank in ranks:
        if rank is not None and rank <= depth:
            at_rank[rank] += 1
    shares, found = [], 0
    for count in at_rank[1:]:
        found += count
        shares.append(found / len(ranks))
    return shares


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


def composition_gain(modes: Mapping[str, Mapping[str, float]], measure: str) -> Gain | None:
    """The gain in one measure; None without figures of the composed query and of another mode."""
    values = {mode: figures[measure] for mode, figures in modes.items() if measure in figures}
    composed = values.pop(COMPOSED, None)
    if composed is None or not values:
        return None
    mode = max(values, key=lambda name: values[name])
    return Gain(composed, values[mode], mode)

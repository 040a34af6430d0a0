"""What contenders of one labelled set reach on each query, paired, and how far they differ.

The methods are in `eval.stats`. The first contender is what the others are compared with.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cir.errors import UsageError
from cir.search import MODES
from eval.errors import BenchWayOut
from eval.measures import MEASURES, Values, parse_measure
from eval.runs.queries import with_clusters
from eval.runs.ranks import COMPOSED, RankTable
from eval.runs.reading import DOCUMENT, Run, open_run, rank_table
from eval.sets.formats import find_format
from eval.sets.labelled import NO_GROUP
from eval.stats import Clusters, bootstrap_intervals, holm, sign_flip_p

LEVEL = 0.05
"""A p below it is called unlikely by chance; the intervals are those of 1 - `LEVEL`."""
SEED = 0
USUAL_MEASURE = "recall@10"

_NAMED = 3


@dataclass(frozen=True)
class Contender:
    """What is compared: a run, and which of its ways to ask."""

    run: Run
    mode: str = COMPOSED

    @property
    def label(self) -> str:
        """Name of the run, with the mode where it is not the composed query."""
        return self.run.name if self.mode == COMPOSED else f"{self.run.name}:{self.mode}"


@dataclass(frozen=True)
class Difference:
    """One contender minus the first, in one measure.

    Attributes:
        delta: difference of the means over queries, -1 to 1.
        low, high: ends of its 95 % interval; None where all queries are one draw, which tells of
            no other.
        p: of the sign-flip test, two-sided.
        p_holm: p, raised for the number of contenders that are compared with the first.
        better, worse, same: numbers of queries with a better, a worse and the same value.
    """

    delta: float
    low: float | None
    high: float | None
    p: float
    p_holm: float
    better: int
    worse: int
    same: int


@dataclass(frozen=True)
class GroupDifference(Difference):
    """One contender minus the first over the queries of one group.

    Attributes:
        queries: number of queries of the group.
        first, this: means of the first contender and of this one, 0 to 1.
        clusters: number of clusters of these queries, which the interval and the test take for
            independent; 0 where the queries themselves are.
        p_holm: p, raised for the number of groups times that of contenders beside the first.
    """

    queries: int
    first: float
    this: float
    clusters: int = 0


def contender(text: str, runs_dir: Path) -> Contender:
    """What somebody names: a run by folder or name, and perhaps `:sum` or another mode behind it.

    Raises:
        UsageError: there is no such run, or it was not asked in this mode.
    """
    name, colon, mode = text.rpartition(":")
    if not colon or mode not in MODES or (Path(text) / DOCUMENT).is_file():
        name, mode = text, COMPOSED
    return Contender(open_run(Path(name), runs_dir), mode)


def usual_measure(measures: Sequence[str]) -> str:
    """The measure that is spoken of while nobody has chosen one."""
    return USUAL_MEASURE if USUAL_MEASURE in measures else measures[0]


@dataclass(frozen=True)
class Paired:
    """What contenders of one labelled set reach on each of its queries.

    Attributes:
        names: of the measures.
        table: of the first contender, whose order of queries all have.
        stacked: for each contender `(queries, measures)` values.
        clusters: a number for each query's cluster; None where each query counts alone.
        count: how many clusters there are, 0 where no queries share images.
    """

    names: Sequence[str]
    table: RankTable
    stacked: Sequence[NDArray[np.float64]]
    clusters: Clusters | None
    count: int


def paired_values(
    contenders: Sequence[Contender], measure: str | None, measures: Sequence[str] | None
) -> Paired:
    """The values that are compared; arguments and errors as of `compare`."""
    check_comparable(contenders)
    pairs = [(each, table_of(each)) for each in contenders]
    first = pairs[0][0]
    table = _clustered(pairs)
    for each, other in pairs:
        _check_queries(first, table.ids, each, other.ids)
    names = list(_usual_measures(pairs) if measures is None else measures)
    if measure is not None and measure not in names:
        names.append(measure)
    if not names:
        raise UsageError("These runs have no measure in common: there is nothing to compare.")
    stacked = [
        np.column_stack([_values(each, of_run, name, table.ids) for name in names])
        for each, of_run in pairs
    ]
    return Paired(names, table, stacked, *cluster_numbers(table))


def _clustered(pairs: Sequence[tuple[Contender, RankTable]]) -> RankTable:
    """The first contender's table, its clusters of whichever run tells of them."""
    first = pairs[0][1]
    for one, table in pairs:
        found = with_clusters(one.run, table)
        if found.clusters is not None:
            names = dict(zip(found.ids, found.clusters, strict=True)) if found.clusters else {}
            clusters = tuple(names.get(each, "") for each in first.ids) if names else ()
            return replace(first, clusters=clusters, shared=found.shared)
    return first


def cluster_numbers(table: RankTable) -> tuple[Clusters | None, int]:
    """A number for each query's cluster, None where each query counts alone; and how many."""
    if not table.clusters:
        return None, 0
    numbers: dict[object, int] = {}
    found = [
        numbers.setdefault(name or row, len(numbers)) for row, name in enumerate(table.clusters)
    ]
    return np.array(found), len(numbers)


def differences_by_group(
    table: RankTable,
    measure: str,
    values: Sequence[NDArray[np.float64]],
    seed: int,
    clusters: Clusters | None,
) -> list[dict[str, GroupDifference]]:
    """For each further contender and group; all of them are one family of tests.

    Args:
        table: of the queries.
        measure: what is compared.
        values: of each contender, the first of them first, the measure's value for each query.
        seed: of resamples and signs.
        clusters: of the queries.
    """
    found: list[dict[str, GroupDifference]] = [{} for _ in values[1:]]
    for name in table.group_names:
        rows = [n for n, each in enumerate(table.groups) if name in (each or (NO_GROUP,))]
        stacked = [each[rows, None] for each in values]
        within = None if clusters is None else clusters[rows]
        differences = differences_of([measure], stacked, seed, within)
        for place, (of_one, this) in enumerate(zip(differences, stacked[1:], strict=True)):
            found[place][name] = GroupDifference(
                **asdict(of_one[measure]),
                queries=len(rows),
                first=float(stacked[0].mean()),
                this=float(this.mean()),
                clusters=0 if within is None else len(np.unique(within)),
            )
    raised = iter(holm(np.array([it.p for each in found for it in each.values()])).tolist())
    return [{name: replace(it, p_holm=next(raised)) for name, it in each.items()} for each in found]


def _usual_measures(pairs: Sequence[tuple[Contender, RankTable]]) -> list[str]:
    """The measures that every run has, those of all tables, and what papers rank systems by."""
    columns = [table.values.get(each.mode, {}) for each, table in pairs]
    shared = [name for name in columns[0] if all(name in each for each in columns)]
    form = find_format(pairs[0][0].run.part("settings").get("format"))
    headlines = [each for each in form.protocol.measures if len(each.parts) > 1] if form else []
    usual, told = (
        [
            str(measure)
            for measure in measures
            if all(table.tells(measure, each.mode) for each, table in pairs)
        ]
        for measures in (MEASURES, headlines)
    )
    return list(dict.fromkeys([*usual, *shared, *told]))


def differences_of(
    names: Sequence[str],
    stacked: Sequence[NDArray[np.float64]],
    seed: int,
    clusters: Clusters | None,
) -> list[dict[str, Difference]]:
    """For each further contender and measure; one family of tests is one measure."""
    first, *others = stacked
    up = np.array([-1.0 if parse_measure(name).lower_is_better else 1.0 for name in names])
    columns = np.hstack([other - first for other in others])
    shape = (len(others), len(names))
    ends = bootstrap_intervals(columns, seed=seed, level=1 - LEVEL, clusters=clusters)
    low, high = ends.reshape(2, *shape)
    p = sign_flip_p(columns, seed=seed, clusters=clusters).reshape(shape)
    one_draw = is_one_draw(clusters)
    if one_draw:
        p = np.ones(shape)
    raised = np.column_stack([holm(column) for column in p.T])
    found = []
    for row, other in enumerate(others):
        change = other - first
        better, worse = (change * up > 0).sum(axis=0), (change * up < 0).sum(axis=0)
        found.append(
            {
                name: Difference(
                    delta=float(change[:, at].mean()),
                    low=None if one_draw else float(low[row, at]),
                    high=None if one_draw else float(high[row, at]),
                    p=float(p[row, at]),
                    p_holm=float(raised[row, at]),
                    better=int(better[at]),
                    worse=int(worse[at]),
                    same=int(len(change) - better[at] - worse[at]),
                )
                for at, name in enumerate(names)
            }
        )
    return found


def is_one_draw(clusters: Clusters | None) -> bool:
    """Whether all queries are of one cluster, which tells of no other."""
    return clusters is not None and len(np.unique(clusters)) == 1


def check_comparable(contenders: Sequence[Contender]) -> None:
    """Refuse contenders that did not ask the same labelled set in the same images.

    Raises:
        UsageError: they do not compare, or there are fewer than two.
    """
    labels = [each.label for each in contenders]
    if len(labels) < 2:
        raise UsageError("Name two runs at least, or a run and its sum: RUN RUN:sum.")
    twice = [label for place, label in enumerate(labels) if label in labels[:place]]
    if twice:
        raise UsageError(f"{twice[0]} is named twice: a run is no comparison with itself.")
    first = contenders[0]
    for each in contenders[1:]:
        if not first.run.same_set(each.run):
            raise UsageError(
                f"{first.label} and {each.label} did not ask the same labelled set "
                f"({first.run.set}, {each.run.set}; its content decides, not its name), so their "
                "figures do not compare. Choose runs of one set."
            )
        prints = [one.run.part("gallery").get("fingerprint") for one in (first, each)]
        if all(prints) and prints[0] != prints[1]:
            raise UsageError(
                f"{first.label} and {each.label} did not search the same images, so their figures "
                "do not compare. Run both over the same folder."
            )


def table_of(one: Contender) -> RankTable:
    """The table of a contender's queries.

    Raises:
        UsageError: its targets are not known, or it came without the table or this way to ask.
    """
    if not one.run.judged:
        raise UsageError(f"{one.label} has rankings and no figures: its targets are not known.")
    table = rank_table(one.run)
    if table is None:
        raise UsageError(
            f"{one.label} came without its table of queries (queries.csv), so nothing can be said "
            "of single queries."
        )
    if one.mode not in table.ranks:
        raise UsageError(
            f"{one.run.name} was not asked by {one.mode} alone.", BenchWayOut.RUN_ABLATIONS
        )
    return table


def _check_queries(
    first: Contender, ids: Sequence[str], other: Contender, others: Sequence[str]
) -> None:
    for one, rest, lacking in ((ids, others, other), (others, ids, first)):
        lost = sorted(set(one) - set(rest))
        if lost:
            some = ", ".join(repr(each) for each in lost[:_NAMED])
            raise UsageError(
                f"{first.label} and {other.label} did not ask the same queries: {lacking.label} "
                f"lacks {len(lost)} (for example {some}). Choose runs of one set and split."
            )


def _values(one: Contender, table: RankTable, name: str, ids: Sequence[str]) -> Values:
    """A measure's value for each query, in the order of `ids`."""
    try:
        values = table.values_of(parse_measure(name), one.mode)
    except UsageError as error:
        raise UsageError(f"{one.label}: {error.message}", *error.ways_out) from error
    place = {query: row for row, query in enumerate(table.ids)}
    return values[[place[query] for query in ids]]

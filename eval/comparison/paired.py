"""Runs of one labelled set side by side: differences, and how far they can be chance.

The methods are in `eval.stats`. The first contender is what the others are compared with.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cir.cells import safe_cell
from cir.errors import UsageError
from cir.search import MODES, bench_options
from eval.errors import BenchWayOut
from eval.measures import MEASURES, Values, parse_measure
from eval.runs.queries import with_clusters
from eval.runs.ranks import COMPOSED, RankTable
from eval.runs.reading import DOCUMENT, Run, open_run, rank_table
from eval.sets.formats import find_format, formats
from eval.sets.labelled import NO_GROUP
from eval.stats import Clusters, bootstrap_intervals, holm, sign_flip_p

LEVEL = 0.05
"""A p below it is called unlikely by chance; the intervals are those of 1 - `LEVEL`."""

HEADINGS = ("", "first", "this", "points", "interval", "+/-/=", "p")
"""Of a comparison's table: a measure in each row."""

GROUP_HEADINGS = ("group", "queries", "first", "this", "points", "interval", "p")
"""Of a comparison's table of groups: a group in each row."""

_FEW = 50
_FEW_CLUSTERS = 30
_CONDITIONS = {
    "keep_reference": "whether the reference stays in the ranking",
    "depth": "how many images are ranked",
    "allow_missing": "whether images may be absent",
    "template": "the template of the instructions",
    "template_text": "the text of the template",
    "adapter": "the adapter",
    "rerank": "the second stage",
}
_MADE_WITH = {
    "precision": "the precision of the encoder",
    "query_fingerprint": "the adapter's content",
}


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
        low, high: ends of its 95 % interval.
        p: of the sign-flip test, two-sided.
        p_holm: p, raised for the number of contenders that are compared with the first.
        better, worse, same: numbers of queries with a better, a worse and the same value.
    """

    delta: float
    low: float
    high: float
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
        p_holm: p, raised for the number of groups times that of contenders beside the first.
    """

    queries: int
    first: float
    this: float


@dataclass(frozen=True)
class Comparison:
    """What two or more contenders show beside each other.

    Attributes:
        contenders: at least two, the first being the one that the others are compared with.
        queries: number of queries.
        figures: for each contender its mean of each measure that all have.
        differences: for each further contender and measure.
        groups: for each further contender the difference over each group, in `measure`.
        clusters: number of clusters of queries that share images, which intervals and tests take
            for independent; 0 where the queries themselves are.
        shared: what the queries of a cluster share, one of it in words.
        measure: the one that conclusions are drawn about.
        notes: what the figures do not say, a sentence each.
        seed: of resamples and signs.
    """

    contenders: tuple[Contender, ...]
    queries: int
    figures: tuple[Mapping[str, float], ...]
    differences: tuple[Mapping[str, Difference], ...]
    measure: str
    notes: tuple[str, ...]
    seed: int
    groups: tuple[Mapping[str, GroupDifference], ...] = ()
    clusters: int = 0
    shared: str = ""

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the measures that were compared."""
        return tuple(self.figures[0])

    def __str__(self) -> str:
        """Tables and conclusions as plain text, some 80 columns wide."""
        parts = []
        for other in range(len(self.differences)):
            parts.append("\n".join([self.title(other), *_aligned([HEADINGS, *self.rows(other)])]))
            if self.groups[other]:
                lines = _aligned([GROUP_HEADINGS, *self.group_rows(other)])
                parts.append("\n".join([self.group_title(other), *lines]))
        words = [*self.words(), *self.group_words()]
        return "\n\n".join([*parts, "\n".join([self.legend, *words, *self.notes])])

    @property
    def over(self) -> str:
        """What an interval is over, in words, where that is not the queries; else ""."""
        return f"over {self.clusters} {self.shared}s" if self.clusters else ""

    @property
    def legend(self) -> str:
        """What the columns of the tables are."""
        return (
            f"interval: {' '.join(filter(None, ['95 %', self.over]))}. +/-/=: queries that got "
            "better, worse, and stayed the same."
        )

    def title(self, other: int) -> str:
        """What the table of a further contender is about; the first of them is 0."""
        labels = [each.label for each in self.contenders]
        return f"{labels[other + 1]} minus {labels[0]}, {self.queries} queries"

    def rows(self, other: int) -> list[tuple[str, ...]]:
        """Cells of the table of a further contender, a row a measure; see `HEADINGS`."""
        return [
            (
                name,
                f"{self.figures[0][name]:.3f}",
                f"{self.figures[other + 1][name]:.3f}",
                points(it.delta),
                f"{points(it.low)}, {points(it.high)}",
                f"{it.better}/{it.worse}/{it.same}",
                f"{it.p_holm:.4f}",
            )
            for name, it in self.differences[other].items()
        ]

    def group_title(self, other: int) -> str:
        """What the table of a further contender's groups is about."""
        return f"{self.title(other)}, {self.measure} by group"

    def group_rows(self, other: int) -> list[tuple[str, ...]]:
        """Cells of the groups of a further contender, a row a group; see `GROUP_HEADINGS`."""
        return [
            (
                name,
                str(it.queries),
                f"{it.first:.3f}",
                f"{it.this:.3f}",
                points(it.delta),
                f"{points(it.low)}, {points(it.high)}",
                f"{it.p_holm:.4f}",
            )
            for name, it in self.groups[other].items()
        ]

    def group_words(self) -> list[str]:
        """What the groups show, a sentence for each further contender; none without groups."""
        first, *others = self.contenders
        tests = sum(map(len, self.groups))
        return [
            _group_verdict(first.label, other.label, self.measure, found, tests)
            for other, found in zip(others, self.groups, strict=True)
            if found
        ]

    def words(self, measure: str | None = None) -> list[str]:
        """What may be concluded, a text for each further contender; in `measure` unless told."""
        first, *others = self.contenders
        name = measure or self.measure
        return [
            verdict(first.label, other.label, name, each[name], self.over)
            for other, each in zip(others, self.differences, strict=True)
        ]

    def document(self) -> dict[str, Any]:
        """All of it for JSON."""
        first, *others = self.contenders
        return {
            "set": first.run.set,
            "queries": self.queries,
            "measure": self.measure,
            "seed": self.seed,
            "runs": [
                {
                    "run": each.run.name,
                    "mode": each.mode,
                    "encoder": each.run.encoder,
                    "metrics": dict(figures),
                }
                for each, figures in zip(self.contenders, self.figures, strict=True)
            ],
            "comparisons": [
                {
                    "run": other.label,
                    "against": first.label,
                    "metrics": {name: asdict(each) for name, each in differences.items()},
                    "groups": {name: asdict(each) for name, each in groups.items()},
                    "words": words,
                }
                for other, differences, groups, words in zip(
                    others, self.differences, self.groups, self.words(), strict=True
                )
            ],
            "clusters": {"count": self.clusters, "shared": self.shared} if self.clusters else None,
            "notes": list(self.notes),
        }

    def csv(self) -> str:
        """A line for each contender beside the first, and measure."""
        import pandas

        first, *others = self.contenders
        rows = [
            {"run": other.label, "against": first.label, "measure": name, **asdict(it)}
            for other, differences in zip(others, self.differences, strict=True)
            for name, it in differences.items()
        ]
        return pandas.DataFrame(rows).map(safe_cell).to_csv(index=False, lineterminator="\n")


def caveats(contenders: Sequence[Contender], queries: int) -> list[str]:
    """What the figures of a comparison do not say, a sentence each."""
    notes = [
        "This speaks of queries like those of this set, and of these encoders as they are: not of "
        "other images, nor of what another training would give."
    ]
    usual: dict[str, Any] = {each.name: each.default for each in bench_options()}
    told = {name: f"the search option {name}" for name in usual} | _CONDITIONS
    for option in (option for form in formats() for option in form.options):
        usual[option.name] = False
        told[option.name] = f"whether to {option.help}"
    settings = [each.run.part("settings") for each in contenders]
    # A run of an earlier version, which knew of no template, asked plainly.
    usual["template_text"] = "{caption}"
    differing = _differing(told, settings, usual)
    differing += _differing(_MADE_WITH, [each.run.document for each in contenders], {})
    indexes = [each.run.part("gallery") for each in contenders]
    differing += _differing({"index_type": "the type of the index"}, indexes, {})
    if differing:
        notes.insert(0, f"The runs differ also in: {', '.join(differing)}.")
    if len(contenders) > 2:
        notes.append(
            f"p is raised by Holm's method for {len(contenders) - 1} comparisons with the first "
            "run; each interval stands for itself."
        )
    notes.append(
        "Each measure is tested by itself: choose the one that counts before you look, or one in "
        "twenty will stand out by chance."
    )
    if queries < _FEW:
        notes.append(f"With {count_of(queries)} only large differences can show.")
    return notes


def advantage(measure: str, it: Difference) -> float:
    """By how much a contender is better than the first: the difference, where higher is better."""
    return -it.delta if parse_measure(measure).lower_is_better else it.delta


def _differing(
    told: Mapping[str, str], given: Sequence[Mapping[str, Any]], usual: Mapping[str, Any]
) -> list[str]:
    """What differs between documents, in words, by the keys that say it."""
    return [
        words
        for key, words in told.items()
        if len({json.dumps(each.get(key, usual.get(key)), sort_keys=True) for each in given}) > 1
    ]


def points(value: float) -> str:
    """A difference in percentage points, with its sign; never a negative zero."""
    return f"{round(100 * value, 1) + 0.0:+.1f}"


def count_of(queries: int) -> str:
    """A number of queries in words."""
    return "1 query" if queries == 1 else f"{queries} queries"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A table as lines: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def cluster_notes(clusters: int, shared: str, *, known: bool) -> list[str]:
    """What intervals and tests take for independent, where that is worth a word."""
    if not known:
        return [
            "These runs do not tell which queries share a reference image, so each query counts as "
            "independent: where some share one, intervals are too narrow."
        ]
    if clusters == 1:
        return [f"All queries share one {shared}: nothing is said of others."]
    if not clusters:
        return []
    notes = [
        f"Queries of one {shared} are not independent: intervals and tests take the {clusters} "
        f"{shared}s as the sample, each with all of its queries."
    ]
    if clusters < _FEW_CLUSTERS:
        notes.append(f"With {clusters} {shared}s the intervals tend to be too narrow.")
    return notes


def _group_verdict(
    first: str, other: str, measure: str, found: Mapping[str, GroupDifference], tests: int
) -> str:
    sure = {name: it for name, it in found.items() if it.p_holm < LEVEL}
    parts = []
    for word, sign in (("ahead of", 1), ("behind", -1)):
        named = [
            f"{n} ({points(it.delta)})"
            for n, it in sure.items()
            if sign * advantage(measure, it) > 0
        ]
        if named:
            parts.append(f"{word} {first} in {', '.join(named)}")
    said = f"{other} is {' and '.join(parts)}" if parts else "no group differs beyond chance"
    raised = f", with p raised for {tests} tests" if tests > 1 else ""
    return f"By group in {measure}{raised}: {said}."


def verdict(first: str, other: str, measure: str, it: Difference, over: str = "") -> str:
    if not it.better and not it.worse:
        return (
            f"{other} and {first} have the same {measure} on every query: this set shows no "
            "difference between them."
        )
    better = advantage(measure, it)
    ahead = "ahead of" if better > 0 else "behind" if better < 0 else "level with"
    facts = (
        f"{other} is {ahead} {first} in {measure} by {100 * abs(it.delta):.1f} points (95 % "
        f"interval of the difference {points(it.low)} to {points(it.high)}"
        f"{over and f', {over}'}; {count_of(it.better)} "
        f"got better, {it.worse} worse, {it.same} stayed; p = {it.p_holm:.2g})."
    )
    if it.p_holm < LEVEL:
        return f"{facts} A difference like this is unlikely by chance."
    return (
        f"{facts} This may be chance: the set does not show which of the two is better, nor that "
        "they are equally good."
    )


SEED = 0
USUAL_MEASURE = "recall@10"

_NAMED = 3


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


def compare(
    contenders: Sequence[Contender],
    *,
    measure: str | None = None,
    measures: Sequence[str] | None = None,
    seed: int = SEED,
) -> Comparison:
    """Compare contenders with the first of them, query by query.

    Args:
        contenders: of one labelled set, searched in the same images.
        measure: what conclusions are drawn about, compared whether it is among the others or not;
            None takes the usual one.
        measures: what to compare; None takes the usual measures and all that every contender has
            in its table of queries.
        seed: of resamples and signs; the same seed gives the same figures.

    Raises:
        UsageError: they cannot be compared, there is no such measure, or the runs do not tell of
            it: those do that the rank of the first target decides, within the depth of the
            rankings, and those that were measured. The message says why.
    """
    chosen = None if measure is None else str(parse_measure(measure))
    given = paired_values(contenders, chosen, measures)
    names, table, stacked, clusters = given.names, given.table, given.stacked, given.clusters
    told = chosen or usual_measure(names)
    at = names.index(told)
    return Comparison(
        contenders=tuple(contenders),
        queries=len(table.ids),
        figures=tuple(_named(names, each.mean(axis=0)) for each in stacked),
        differences=tuple(_differences(names, stacked, seed, clusters)),
        measure=told,
        notes=(
            *cluster_notes(given.count, table.shared, known=table.clusters is not None),
            *caveats(contenders, len(table.ids)),
        ),
        seed=seed,
        groups=tuple(_by_group(table, told, [each[:, at] for each in stacked], seed, clusters)),
        clusters=0 if clusters is None else given.count,
        shared=table.shared,
    )


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
    return Paired(names, table, stacked, *_cluster_numbers(table))


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


def _cluster_numbers(table: RankTable) -> tuple[Clusters | None, int]:
    """A number for each query's cluster, None where each query counts alone; and how many."""
    if not table.clusters:
        return None, 0
    numbers: dict[object, int] = {}
    found = [
        numbers.setdefault(name or row, len(numbers)) for row, name in enumerate(table.clusters)
    ]
    return np.array(found), len(numbers)


def _by_group(
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
        differences = _differences([measure], stacked, seed, within)
        for place, (of_one, this) in enumerate(zip(differences, stacked[1:], strict=True)):
            found[place][name] = GroupDifference(
                **asdict(of_one[measure]),
                queries=len(rows),
                first=float(stacked[0].mean()),
                this=float(this.mean()),
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


def _named(names: Sequence[str], row: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(names, row.tolist(), strict=True))


def _differences(
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
    if clusters is not None and len(np.unique(clusters)) == 1:
        low, high, p = -np.ones(shape), np.ones(shape), np.ones(shape)  # one draw tells of no other
    raised = np.column_stack([holm(column) for column in p.T])
    found = []
    for row, other in enumerate(others):
        change = other - first
        better, worse = (change * up > 0).sum(axis=0), (change * up < 0).sum(axis=0)
        found.append(
            {
                name: Difference(
                    delta=float(change[:, at].mean()),
                    low=float(low[row, at]),
                    high=float(high[row, at]),
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

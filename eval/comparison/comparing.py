"""Runs of one labelled set side by side, as figures, tables and words.

What is compared, and how, is in `eval.comparison.paired`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cir.cells import safe_cell
from cir.search import bench_options
from eval.comparison.paired import (
    LEVEL,
    SEED,
    Contender,
    Difference,
    GroupDifference,
    differences_by_group,
    differences_of,
    paired_values,
    usual_measure,
)
from eval.measures import parse_measure
from eval.runs.reading import Run
from eval.sets.formats import formats

HEADINGS = ("", "first", "this", "points", "interval", "+/-/=", "p")
"""Of a comparison's table: a measure in each row."""

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
_SEARCHED_BY = {"index_type": "the type of the index"}


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
                lines = _aligned([self.group_headings, *self.group_rows(other)])
                parts.append("\n".join([self.group_title(other), *lines]))
        words = [*self.words(), *self.group_words()]
        return "\n\n".join([*parts, "\n".join([self.legend, *words, *self.notes])])

    @property
    def over(self) -> str:
        """What an interval is over, in words, where that is not the queries; else ""."""
        return _over(self.clusters, self.shared)

    def over_group(self, it: GroupDifference) -> str:
        """Likewise of the interval of one group."""
        return _over(it.clusters, self.shared)

    @property
    def legend(self) -> str:
        """What the columns of the tables are."""
        groups = any(self.groups) and self.clusters
        of_groups = f", of a group over its own {self.shared}s" if groups else ""
        return (
            f"interval: {' '.join(filter(None, ['95 %', self.over]))}{of_groups}. +/-/=: queries "
            "that got better, worse, and stayed the same."
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
                interval(it, ", "),
                f"{it.better}/{it.worse}/{it.same}",
                f"{it.p_holm:.4f}",
            )
            for name, it in self.differences[other].items()
        ]

    def group_title(self, other: int) -> str:
        """What the table of a further contender's groups is about."""
        return f"{self.title(other)}, {self.measure} by group"

    @property
    def group_headings(self) -> tuple[str, ...]:
        """Of the table of groups; where queries share images, it counts what they share, too."""
        shared = (f"{self.shared}s",) if self.clusters else ()
        return ("group", "queries", *shared, "first", "this", "points", "interval", "p")

    def group_rows(self, other: int) -> list[tuple[str, ...]]:
        """Cells of the groups of a further contender, a row a group; see `group_headings`."""
        return [
            (
                name,
                str(it.queries),
                *((str(it.clusters),) if self.clusters else ()),
                f"{it.first:.3f}",
                f"{it.this:.3f}",
                points(it.delta),
                interval(it, ", "),
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
        """A line for each contender beside the first and measure, then for each of its groups."""
        import pandas

        first, *others = self.contenders
        rows = []
        for other, differences, groups in zip(others, self.differences, self.groups, strict=True):
            named: list[tuple[str, str, Difference]] = []
            named += [("", name, it) for name, it in differences.items()]
            named += [(group, self.measure, it) for group, it in groups.items()]
            about = {"run": other.label, "against": first.label}
            rows += [
                {**about, "measure": measure, **asdict(it), "group": group}
                for group, measure, it in named
            ]
        return pandas.DataFrame(rows).map(safe_cell).to_csv(index=False, lineterminator="\n")


def caveats(contenders: Sequence[Contender], queries: int) -> list[str]:
    """What the figures of a comparison do not say, a sentence each."""
    notes = [
        *differing_conditions([each.run for each in contenders]),
        "This speaks of queries like those of this set, and of these encoders as they are: not of "
        "other images, nor of what another training would give.",
    ]
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


def differing_conditions(runs: Sequence[Run]) -> list[str]:
    """In what else runs differ beside their system, and what is not known of imported ones."""
    usual: dict[str, Any] = {each.name: each.default for each in bench_options()}
    told = {name: f"the search option {name}" for name in usual} | _CONDITIONS
    for option in (option for form in formats() for option in form.options):
        usual[option.name] = False
        told[option.name] = f"whether to {option.help}"
    # A run of an earlier version, which knew of no template, asked plainly.
    usual["template_text"] = "{caption}"
    places: list[tuple[Mapping[str, str], list[Mapping[str, Any]]]] = [
        (told, [run.part("settings") for run in runs]),
        (_MADE_WITH, [run.document for run in runs]),
        (_SEARCHED_BY, [run.part("gallery") for run in runs]),
    ]
    differing = []
    unknown: dict[str, list[str]] = {run.name: [] for run in runs if "imported" in run.document}
    for words_of, documents in places:
        for key, words in words_of.items():
            values = set()
            for run, document in zip(runs, documents, strict=True):
                if run.name in unknown and key not in document:
                    if key not in usual or key == "template_text":
                        unknown[run.name].append(words)
                    continue
                values.add(json.dumps(document.get(key, usual.get(key)), sort_keys=True))
            if len(values) > 1:
                differing.append(words)
    notes = [f"The runs differ also in: {', '.join(differing)}."] if differing else []
    return notes + [
        f"Not known of {name}, which another system made: {', '.join(words)}."
        for name, words in unknown.items()
        if words
    ]


def advantage(measure: str, it: Difference) -> float:
    """By how much a contender is better than the first: the difference, where higher is better."""
    return -it.delta if parse_measure(measure).lower_is_better else it.delta


def points(value: float) -> str:
    """A difference in percentage points, with its sign; never a negative zero."""
    return f"{round(100 * value, 1) + 0.0:+.1f}"


def interval(it: Difference, between: str = " to ") -> str:
    """The ends of a difference's interval in percentage points, or that there is none."""
    if it.low is None or it.high is None:
        return "not known"
    return f"{points(it.low)}{between}{points(it.high)}"


def count_of(queries: int) -> str:
    """A number of queries in words."""
    return "1 query" if queries == 1 else f"{queries} queries"


def _over(clusters: int, shared: str) -> str:
    return f"over {clusters} {shared}{'' if clusters == 1 else 's'}" if clusters else ""


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
        f"interval of the difference {interval(it)}"
        f"{over and f', {over}'}; {count_of(it.better)} "
        f"got better, {it.worse} worse, {it.same} stayed; p = {it.p_holm:.2g})."
    )
    if it.p_holm < LEVEL:
        return f"{facts} A difference like this is unlikely by chance."
    return (
        f"{facts} This may be chance: the set does not show which of the two is better, nor that "
        "they are equally good."
    )


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
        differences=tuple(differences_of(names, stacked, seed, clusters)),
        measure=told,
        notes=(
            *cluster_notes(given.count, table.shared, known=table.clusters is not None),
            *caveats(contenders, len(table.ids)),
        ),
        seed=seed,
        groups=tuple(
            differences_by_group(table, told, [each[:, at] for each in stacked], seed, clusters)
        ),
        clusters=0 if clusters is None else given.count,
        shared=table.shared,
    )


def _named(names: Sequence[str], row: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(names, row.tolist(), strict=True))

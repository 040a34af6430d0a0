"""The shortcut audit: which queries of a labelled set need picture and sentence together.

A query is solved by a way to ask when a target that recall@k counts stands in its first k images.
A query that the picture alone or the text alone solves is no test of composing, however well an
encoder does there. The labels follow CIRCUS (Attimonelli et al., "Do Composed Image Retrieval
Benchmarks Require Multimodal Composition?", arXiv 2605.14787, 2026): their `shortcut_solvable` is
`image`, `text` or `either` here, their `composition_required` is `sum` or `composed`, their
`unresolved` is `unsolved`. They pool eleven encoders: with several runs a way to ask solves a query
when it does in any of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cir.errors import UsageError
from eval.errors import BenchWayOut
from eval.measures import Measure, Recall, ReciprocalRank, heading
from eval.runs.ranks import COMPOSED, RankTable
from eval.runs.reading import Run, rank_table
from eval.sets.labelled import NO_GROUP

Solver = Literal["image", "text", "either", "sum", "composed", "unsolved"]
"""What solves a query, the least of it that is enough."""

SOLVERS: Mapping[Solver, str] = {
    "image": "Image only",
    "text": "Text only",
    "either": "Either alone",
    "sum": "Their sum",
    "composed": "Composing only",
    "unsolved": "Nothing",
}
"""What they are called for people, in the order of the tables."""

SHORTCUTS: tuple[Solver, ...] = ("image", "text", "either")
"""Those that do without picture or without text."""

USUAL_K = 10
"""CIRCUS's cutoff."""

_NEEDED = ("image", "text")


@dataclass(frozen=True)
class Shortcuts:
    """The audit of a labelled set.

    Attributes:
        k: the cutoff: a query is solved when a target stands in the first k images.
        runs: names of the runs that were pooled.
        solved_by: query id -> what solves it, in the order of the set.
        counts: solver -> number of queries; without "sum" where no run asked it.
        groups: group -> the same; empty where the set has no groups.
        lost: shortcut queries that the composed query does not solve in any run.
        gaps: measure -> the composition gap of the first run, see `composition_gap`; None where it
            has none.
    """

    k: int
    runs: tuple[str, ...]
    solved_by: Mapping[str, Solver]
    counts: Mapping[Solver, int]
    groups: Mapping[str, Mapping[Solver, int]]
    lost: int
    gaps: Mapping[str, float | None]

    @property
    def shortcut_share(self) -> float:
        """Share of the queries that one of the two alone solves, 0 to 1."""
        return sum(self.counts[name] for name in SHORTCUTS) / max(len(self.solved_by), 1)

    def words(self) -> list[str]:
        """What it shows, a sentence each."""
        total, counts = len(self.solved_by), self.counts
        short = sum(counts[name] for name in SHORTCUTS)
        needed = counts.get("sum", 0) + counts["composed"]
        beyond = (
            f", {counts['composed']} of them more than the sum of the two embeddings"
            if "sum" in counts
            else ""
        )
        sentences = [
            f"{short} of {total} queries ({self.shortcut_share:.1%}) are solved by the image or "
            f"the text alone at rank {self.k}: they do not test composing.",
            f"{needed} need both{beyond}; {counts['unsolved']} are not solved.",
        ]
        if self.lost:
            sentences.append(f"{self.lost} are solved by one alone and lost by composing.")
        known = {name: gap for name, gap in self.gaps.items() if gap is not None}
        if known:
            told = ", ".join(f"{gap:.3f} of {heading(name)}" for name, gap in known.items())
            sentences.append(
                f"Composition gap: {told} (the share of the composed query's figure that neither "
                "alone reaches)."
            )
        return sentences

    def document(self) -> dict[str, Any]:
        """All of it for JSON."""
        return {
            "runs": list(self.runs),
            "k": self.k,
            "queries": len(self.solved_by),
            "counts": dict(self.counts),
            "shortcut_share": self.shortcut_share,
            "lost": self.lost,
            "composition_gap": dict(self.gaps),
            "groups": {name: dict(each) for name, each in self.groups.items()},
            "solved_by": dict(self.solved_by),
        }


def audit(runs: Sequence[Run], *, k: int = USUAL_K) -> Shortcuts:
    """Audit the labelled set of runs with ablations, see the module.

    Args:
        runs: one or more of one set; each asked by image and by text alone. Without the sum no
            query counts as solved by it.
        k: the cutoff, 1 or more.

    Raises:
        UsageError: a run lacks its ablations or its table of queries, its rankings are shorter than
            k, or the runs are not of one set.
    """
    if not runs:
        raise UsageError("Name a run to audit.")
    tables = [_table(run, k) for run in runs]
    first, table = runs[0], tables[0]
    for run, other in zip(runs[1:], tables[1:], strict=True):
        if not first.same_set(run) or set(table.ids) != set(other.ids):
            raise UsageError(
                f"{first.name} and {run.name} did not ask the same labelled set: choose runs of "
                "one."
            )
    solved = [_all_solved(each, k) for each in tables]
    found = {query: frozenset().union(*(each[query] for each in solved)) for query in table.ids}
    solved_by = {query: _solver(modes) for query, modes in found.items()}
    names = [name for name in SOLVERS if name != "sum" or any("sum" in t.ranks for t in tables)]
    by_group: dict[str, list[Solver]] = {name: [] for name in table.group_names}
    for query, groups in zip(table.ids, table.groups, strict=True):
        for name in groups or (NO_GROUP,):
            if name in by_group:
                by_group[name].append(solved_by[query])
    return Shortcuts(
        k=k,
        runs=tuple(run.name for run in runs),
        solved_by=solved_by,
        counts=_counts(list(solved_by.values()), names),
        groups={name: _counts(solvers, names) for name, solvers in by_group.items()},
        lost=sum(
            solved_by[query] in SHORTCUTS and COMPOSED not in modes
            for query, modes in found.items()
        ),
        gaps={str(each): composition_gap(table, each) for each in (ReciprocalRank(), Recall(k))},
    )


def solvers(table: RankTable, k: int = USUAL_K) -> dict[str, Solver]:
    """Query id -> what solves it in one run; empty where the run has no ablations to tell by."""
    if not all(mode in table.ranks for mode in _NEEDED) or k > table.depth:
        return {}
    return {query: _solver(modes) for query, modes in _all_solved(table, k).items()}


def composition_gap(table: RankTable, measure: Measure) -> float | None:
    """CIRCUS's normalised composition gap: 1 - max(image, text) / composed.

    The figures are means of one measure over the queries. It is the share of what composing reaches
    that neither alone reaches: 1 where both alone find nothing, 0 where one is enough, negative
    where one alone is ahead. CIRCUS takes nDCG over the whole gallery, and MRR beside it; here any
    measure that the run tells of, within the depth of its rankings.

    Returns:
        None where the composed query has 0, or the table does not tell.
    """
    modes = (COMPOSED, *_NEEDED)
    if not all(mode in table.ranks and table.tells(measure, mode) for mode in modes):
        return None
    values = [table.values_of(measure, mode) for mode in modes]
    composed, *alone = [float(each.mean()) if each.size else 0.0 for each in values]
    return 1 - max(alone) / composed if composed else None


def _table(run: Run, k: int) -> RankTable:
    table = rank_table(run)
    if table is None:
        raise UsageError(
            f"{run.name} came without its table of queries, or its targets are not known: there "
            "is nothing to audit."
        )
    lacking = [mode for mode in _NEEDED if mode not in table.ranks]
    if lacking:
        raise UsageError(
            f"{run.name} was not asked by {' and '.join(lacking)} alone.", BenchWayOut.RUN_ABLATIONS
        )
    if not 1 <= k <= table.depth:
        raise UsageError(
            f"The rankings of {run.name} hold {table.depth} images a query: choose a rank from 1 "
            f"to {table.depth}."
        )
    return table


def _all_solved(table: RankTable, k: int) -> dict[str, frozenset[str]]:
    """Query id -> the ways to ask that solve it."""
    return {
        query: frozenset(
            mode for mode, ranks in table.ranks.items() if (ranks[place] or k + 1) <= k
        )
        for place, query in enumerate(table.ids)
    }


def _solver(modes: frozenset[str]) -> Solver:
    if "image" in modes:
        return "either" if "text" in modes else "image"
    if "text" in modes:
        return "text"
    if "sum" in modes:
        return "sum"
    return "composed" if COMPOSED in modes else "unsolved"


def _counts(found: Sequence[Solver], names: Sequence[Solver]) -> dict[Solver, int]:
    return {name: found.count(name) for name in names}

"""Queries of a labelled set seen over many runs: how hard each is, and what its labels are worth.

What every system misses is hard, or its labels lack a target; what strong systems find and weak
ones miss separates them; what weak ones find and strong ones miss is often mislabelled.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cir.cells import safe_cell
from cir.errors import UsageError
from eval.comparison.paired import (
    Contender,
    check_comparable,
    contender,
    paired_values,
    table_of,
    usual_measure,
)
from eval.measures import parse_measure
from eval.runs.queries import asked_queries, ranked_paths
from eval.runs.reading import Run, list_runs, rank_table
from eval.runs.writing import groups_cell
from eval.sets.formats import find_format
from eval.sets.labelled import LabelledQuery

SEPARATING_SYSTEMS = 4
"""How many systems it takes to say whether a query separates them."""

DOUBTFUL = -0.3
"""A query that separates by less is found by weak systems rather than by strong ones."""


@dataclass(frozen=True)
class QueryDifficulty:
    """One query over all systems.

    Attributes:
        id: of the query.
        groups: of the query.
        instruction: "" where the labelled set is not at hand.
        mean: of the measure over the systems, 0 to 1; of recall@k the share that finds a target.
        missed: whether no system's ranking holds a target at all.
        separates: -1 to 1; None with fewer than `SEPARATING_SYSTEMS` systems, and where all reach
            the same.
        agreed: the image that every system ranks first, where it is no target; else "".
    """

    id: str
    groups: tuple[str, ...]
    instruction: str
    mean: float
    missed: bool
    separates: float | None
    agreed: str

    @property
    def doubts(self) -> list[str]:
        """Why its labels are worth a second look, a text each."""
        found = []
        if self.agreed:
            found.append(f"every system ranks {self.agreed} first, which is no target")
        if self.separates is not None and self.separates < DOUBTFUL:
            found.append("weaker systems find it, stronger ones miss it")
        if self.missed:
            found.append("no system ranks a target at all")
        return found


@dataclass(frozen=True)
class Difficulty:
    """All queries of a labelled set over several systems.

    Attributes:
        contenders: the systems, two at least.
        measure: by which a query is found or missed.
        queries: in the order of the first run's table.
        notes: what could not be looked at, a sentence each.
    """

    contenders: tuple[Contender, ...]
    measure: str
    queries: tuple[QueryDifficulty, ...]
    notes: tuple[str, ...]

    def hard(self) -> list[QueryDifficulty]:
        """Queries that every system misses; those first that are in no ranking."""
        missed = [query for query in self.queries if query.mean == 0]
        return sorted(missed, key=lambda query: not query.missed)

    def separating(self) -> list[QueryDifficulty]:
        """Queries that strong systems find and weak ones miss, the clearest first."""
        found = [query for query in self.queries if query.separates and query.separates > 0]
        return sorted(found, key=lambda query: -(query.separates or 0))

    def doubtful(self) -> list[QueryDifficulty]:
        """Queries whose labels are worth a second look, those with the most reasons first."""
        found = [query for query in self.queries if query.doubts]
        return sorted(
            found, key=lambda query: (-len(query.doubts), not query.agreed, query.separates or 0)
        )

    def document(self) -> dict[str, Any]:
        """All of it for JSON."""
        return {
            "set": self.contenders[0].run.set,
            "runs": [each.label for each in self.contenders],
            "measure": self.measure,
            "queries": [asdict(query) | {"doubts": query.doubts} for query in self.queries],
            "notes": list(self.notes),
        }

    def csv(self) -> str:
        """A line for each query."""
        import pandas

        rows = [
            asdict(query) | {"groups": groups_cell(query.groups), "doubts": "; ".join(query.doubts)}
            for query in self.queries
        ]
        return pandas.DataFrame(rows).map(safe_cell).to_csv(index=False, lineterminator="\n")


def difficulty(contenders: Sequence[Contender], *, measure: str | None = None) -> Difficulty:
    """Look at each query over all systems.

    How far a query separates systems is the correlation, over the systems, of its value with the
    mean over all other queries: the corrected item-total correlation of test theory (Lord and
    Novick, "Statistical Theories of Mental Test Scores", 1968, chapter 15). That items with a
    negative one are often mislabelled holds of retrieval's and language's test sets too (Rodriguez
    et al., "Evaluation Examples are not Equally Informative", ACL 2021).

    Args:
        contenders: two or more, of one labelled set, searched in the same images.
        measure: by which a query is found or missed; None takes recall@10 where it was measured.

    Raises:
        UsageError: they cannot be compared, do not tell of the measure, or it does not say whether
            a query is found.
    """
    chosen = None if measure is None else str(parse_measure(measure))
    if chosen is not None and any(each.on_judgements for each in parse_measure(chosen).parts):
        raise UsageError(
            f"{chosen} does not say whether a query is found: name a measure that is the higher "
            "the more of the targets are found, such as recall@10."
        )
    given = paired_values(contenders, chosen, None)
    told = chosen or usual_measure(given.names)
    at = given.names.index(told)
    values = np.array([each[:, at] for each in given.stacked])
    separates = _separation(values)
    ids, groups = given.table.ids, given.table.groups
    in_depth = _in_depth(contenders)
    notes: list[str] = []
    asked: Mapping[str, LabelledQuery] = {}
    agreed: Mapping[str, str] = {}
    try:
        agreed, asked = _agreed(contenders, ids)
    except UsageError as error:
        notes.append(f"What is ranked first was not looked at: {error}")
    if len(contenders) < SEPARATING_SYSTEMS:
        notes.append(
            f"It takes {SEPARATING_SYSTEMS} systems to say which queries separate them; there are "
            f"{len(contenders)}."
        )
    return Difficulty(
        contenders=tuple(contenders),
        measure=told,
        queries=tuple(
            QueryDifficulty(
                id=query,
                groups=groups[row],
                instruction=asked[query].instruction if query in asked else "",
                mean=float(values[:, row].mean()),
                missed=query not in in_depth,
                separates=separates[row],
                agreed=agreed.get(query, ""),
            )
            for row, query in enumerate(ids)
        ),
        notes=tuple(notes),
    )


def systems_of(first: Contender, runs: Sequence[Run]) -> list[Contender]:
    """A run and all others that asked the same labelled set in the same images, the same way."""
    found = [first]
    for run in runs:
        if run.name == first.run.name:
            continue
        other = Contender(run, first.mode)
        try:
            check_comparable([first, other])
            table_of(other)
        except UsageError:
            continue  # of another set, damaged, or not asked this way
        found.append(other)
    return found


def named_systems(names: Sequence[str], runs_dir: Path) -> list[Contender]:
    """The systems that somebody names; of one alone, all runs of its set, asked the same way."""
    named = [contender(name, runs_dir) for name in names]
    return named if len(named) > 1 else systems_of(named[0], list_runs(runs_dir)[0])


def _separation(values: NDArray[np.float64]) -> list[float | None]:
    """Of each query, from `(systems, queries)` values."""
    systems, queries = values.shape
    if systems < SEPARATING_SYSTEMS or queries < 2:
        return [None] * queries
    others = (values.sum(axis=1, keepdims=True) - values) / (queries - 1)
    item, rest = values - values.mean(axis=0), others - others.mean(axis=0)
    spread = np.sqrt((item**2).sum(axis=0) * (rest**2).sum(axis=0))
    shared = (item * rest).sum(axis=0)
    return [
        float(above / below) if below > 1e-12 else None
        for above, below in zip(shared, spread, strict=True)
    ]


def _in_depth(contenders: Sequence[Contender]) -> set[str]:
    """Ids of the queries of which some ranking holds a target."""
    found: set[str] = set()
    for one in contenders:
        table = rank_table(one.run)
        if table is not None:
            ranks = zip(table.ids, table.ranks[one.mode], strict=True)
            found |= {query for query, rank in ranks if rank is not None}
    return found


def _agreed(
    contenders: Sequence[Contender], ids: Sequence[str]
) -> tuple[dict[str, str], Mapping[str, LabelledQuery]]:
    """The image, no target, that all rank first, by query; and the labelled queries.

    Images are compared by the ids of the annotations: an imported run may have no other names.
    """
    form = find_format(contenders[0].run.part("settings").get("format"))
    id_of = form.protocol.id_of if form else str
    first: Counter[tuple[str, str]] = Counter()
    named: dict[str, str] = {}
    for one in contenders:
        for query, paths in ranked_paths(one.run, one.mode, ids, 1).items():
            first.update((query, id_of(path)) for path in paths)
            named = {id_of(path): path for path in paths} | named
    asked = asked_queries(contenders[0].run, lambda: set(named.values()))
    agreed = {
        query: named[image]
        for (query, image), count in first.items()
        if count == len(contenders)
        and query in asked
        and image not in {id_of(path) for path in (*asked[query].targets, asked[query].reference)}
    }
    return agreed, asked

"""The single queries of a run: what was asked, what was found, and which of them to look at."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cir.cells import safe_cell
from cir.errors import UsageError
from eval.runs.ranks import COMPOSED, RankTable
from eval.runs.reading import Run, query_table
from eval.runs.shortcuts import USUAL_K, Solver, solvers
from eval.runs.writing import groups_cell
from eval.sets.catalogue import NATIVE_NAME, load_set
from eval.sets.formats import find_format
from eval.sets.labelled import NO_GROUP, LabelledQuery, LabelledSet, located
from eval.sets.templates import worded
from eval.sets.trec import plain_id, trec_id

if TYPE_CHECKING:
    from pandas import DataFrame

Order = Literal["worst", "best", "lost", "gained"]
"""By the rank of the first target, or by how many ranks it has changed."""


@dataclass(frozen=True)
class QueryRow:
    """A query in a list of queries.

    Attributes:
        id: of the query.
        rank: of its first target, None where the ranking holds none.
        before: the same in what it is compared with.
        change: ranks that the first target has come forward; 0 without a comparison.
        groups: of the query.
        instruction: "" where the labelled set is not at hand.
        solved_by: what solves it, see `eval.runs.shortcuts`; None without ablations.
    """

    id: str
    rank: int | None
    before: int | None
    change: int
    groups: tuple[str, ...]
    instruction: str
    solved_by: Solver | None = None


def asked_queries(
    run: Run, paths: Callable[[], Iterable[str]] | None = None
) -> dict[str, LabelledQuery]:
    """The labelled queries of a run by id, their images named by paths in its gallery.

    Args:
        run: one of the runs on disk; of an upload nothing is opened that it names.
        paths: gives the gallery's paths; called only for sets that name images otherwise.

    Raises:
        UsageError: the labelled set is not where it was, or has changed since.
    """
    labelled = _asked_set(run)
    if paths is not None:
        labelled = located(labelled, paths())
    return {query.id: query for query in labelled.queries}


def _asked_set(run: Run) -> LabelledSet:
    settings = run.part("settings")
    root, form = settings.get("set"), find_format(settings.get("format", NATIVE_NAME))
    if run.folder is None or not isinstance(root, str) or form is None:
        raise UsageError(
            f"{run.name} does not say where its labelled set is: only its figures are known."
        )
    options = {option.name: bool(settings.get(option.name)) for option in form.options}
    name = settings.get("format", NATIVE_NAME)
    labelled = load_set(name, Path(root), settings.get("split"), options)
    template = settings.get("template")
    labelled = worded(labelled, template if isinstance(template, str) else None)
    if not labelled.is_of(run.document):
        raise UsageError(f"The labelled set {run.set} has changed since the run.")
    return labelled


def with_clusters(run: Run, table: RankTable) -> RankTable:
    """The table with each query's cluster: its own, else of the labelled set if it is at hand."""
    if table.clusters is not None:
        return table
    try:
        labelled = run.labelled or _asked_set(run)
    except UsageError:
        return table
    names = dict(zip((query.id for query in labelled.queries), labelled.clusters(), strict=False))
    return replace(
        table,
        clusters=tuple(names.get(each, "") for each in table.ids) if names else (),
        shared=labelled.protocol.shared,
    )


def query_rows(
    table: RankTable,
    asked: Mapping[str, LabelledQuery],
    *,
    mode: str = COMPOSED,
    before: Mapping[str, int | None] | None = None,
    order: Order = "worst",
    group: str | None = None,
    text: str = "",
    solver: Solver | None = None,
    k: int = USUAL_K,
) -> list[QueryRow]:
    """Queries of a run in an order, those alone that a filter leaves.

    Args:
        table: of the run.
        asked: its labelled queries; empty where they are not at hand.
        mode: whose ranks count.
        before: ranks to compare with, by query id; queries that are not there are left out.
        order: equal ones in the order of the table.
        group: the one group to show; None for all.
        text: part of the instruction or of the id, in any case.
        solver: the one thing that solves the queries to show; None for all.
        k: up to which rank a target solves a query.
    """
    solved_by = solvers(table, k)
    # A target that a ranking lacks counts as one rank below all that are ranked.
    lost = 1 + max(table.depth, *((rank or 0) for rank in (before or {}).values()), 0)
    rows = []
    for place, query_id in enumerate(table.ids):
        groups = table.groups[place]
        instruction = asked[query_id].instruction if query_id in asked else ""
        wanted = group is None or group in (groups or (NO_GROUP,))
        found = text.casefold() in f"{instruction}\n{query_id}".casefold()
        solved = solved_by.get(query_id)
        wanted = wanted and (solver is None or solved == solver)
        if not wanted or not found or (before is not None and query_id not in before):
            continue
        rank = table.ranks[mode][place]
        other = None if before is None else before[query_id]
        change = 0 if before is None else (other or lost) - (rank or lost)
        rows.append(QueryRow(query_id, rank, other, change, groups, instruction, solved))
    keys: Mapping[Order, Callable[[QueryRow], int]] = {
        "worst": lambda row: -(row.rank or lost),
        "best": lambda row: row.rank or lost,
        "lost": lambda row: row.change,
        "gained": lambda row: -row.change,
    }
    return sorted(rows, key=keys[order])


def frame(run: Run) -> "DataFrame":
    """The table of a run's queries, a row a query.

    Returns:
        Columns `id`; `groups`, a tuple of names; `instruction`, None where the labelled set is not
        at hand; for each mode that was run ("composed", "sum", ...) the rank of the first target
        from 1, <NA> where the ranking holds none; and for each mode and measure that a rank does
        not give a value from 0 to 1, under names such as "composed map@10"; with ablations
        `solved by`, what solves the query within the first ten, see `eval.runs.shortcuts`.

    Raises:
        UsageError: the run came without its table of queries, or that is damaged.
    """
    table = query_table(run)
    if table is None:
        raise UsageError(f"{run.name} came without its table of queries, queries.csv.")
    try:
        queries = run.labelled.queries if run.labelled else asked_queries(run).values()
    except UsageError:
        queries = ()
    said = {query.id: query.instruction for query in queries}
    import pandas as pd

    columns: dict[str, object] = {
        "id": table.ids,
        "groups": table.groups,
        "instruction": [said.get(each) for each in table.ids],
    }
    columns |= {mode: pd.array(ranks, dtype="Int64") for mode, ranks in table.ranks.items()}
    for mode, values in table.values.items():
        columns |= {f"{mode} {name}": column for name, column in values.items()}
    if solved_by := solvers(table):
        columns["solved by"] = [solved_by[each] for each in table.ids]
    return pd.DataFrame(columns)


def queries_csv(rows: Sequence[QueryRow]) -> str:
    """A line for each query: the ranks are those of the first target, empty without one."""
    import pandas

    table = pandas.DataFrame(
        {
            "id": [row.id for row in rows],
            "group": [groups_cell(row.groups) for row in rows],
            "instruction": [row.instruction for row in rows],
            "rank": [row.rank or "" for row in rows],
            "before": [row.before or "" for row in rows],
            "change": [row.change for row in rows],
            **(
                {"solved by": [row.solved_by for row in rows]} if rows and rows[0].solved_by else {}
            ),
        }
    )
    return table.map(safe_cell).to_csv(index=False, lineterminator="\n")


def ranks_by_id(table: RankTable, mode: str = COMPOSED) -> dict[str, int | None]:
    """Query id -> rank of its first target."""
    return dict(zip(table.ids, table.ranks[mode], strict=True))


def ranked_paths(
    run: Run, mode: str, query_ids: Collection[str], depth: int
) -> dict[str, Sequence[str]]:
    """The first images of some queries' rankings; queries without a ranking are not there.

    Raises:
        UsageError: the run's rankings are not at hand.
    """
    if run.folder is None:
        raise UsageError(f"{run.name} came without its rankings.")
    wanted = {trec_id(query_id).encode(): query_id for query_id in query_ids}
    found: dict[str, list[str]] = {}
    try:
        with (run.folder / f"{mode}.trec").open("rb") as lines:
            for line in lines:
                query_id = wanted.get(line.partition(b" ")[0])
                if query_id is not None and len(found.setdefault(query_id, [])) < depth:
                    found[query_id].append(plain_id(line.split(b" ")[2].decode()))
    except (OSError, IndexError, UnicodeDecodeError) as error:
        raise UsageError(f"The rankings of {run.name} cannot be read ({error}).") from error
    return dict(found)

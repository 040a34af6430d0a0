"""Figures and queries of runs as CSV."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

from eval.comparison.paired import Comparison
from eval.runs.queries import QueryRow
from eval.runs.ranks import COMPOSED, RankTable
from eval.runs.reading import Figures, Run
from eval.runs.writing import groups_cell


def by_group(
    run: Run, table: RankTable | None, further: Iterable[str] = ()
) -> dict[str, Mapping[str, Figures]]:
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


def figures_csv(run: Run, table: RankTable | None) -> str:
    """A line for each mode over all queries, then for each group and mode."""
    names = list(run.metrics)
    return _csv(
        ["run", "queries", "mode", *names],
        (
            [run.name, group, mode, *(figures.get(name, "") for name in names)]
            for group, mode, figures in _lines(run, table)
        ),
    )


def queries_csv(rows: Sequence[QueryRow]) -> str:
    """A line for each query: the ranks are those of the first target, empty without one."""
    return _csv(
        ["id", "group", "instruction", "rank", "before", "change"],
        (
            [
                *(row.id, groups_cell(row.groups), row.instruction),
                *(row.rank or "", row.before or "", row.change),
            ]
            for row in rows
        ),
    )


def comparison_csv(compared: Comparison) -> str:
    """A line for each contender beside the first, and measure."""
    first, *others = compared.contenders
    columns = ("delta", "low", "high", "p", "p_holm", "better", "worse", "same")
    return _csv(
        ["run", "against", "measure", *columns],
        (
            [other.label, first.label, name, *(getattr(it, column) for column in columns)]
            for other, differences in zip(others, compared.differences, strict=True)
            for name, it in differences.items()
        ),
    )


def _lines(run: Run, table: RankTable | None) -> Iterator[tuple[str, str, Figures]]:
    for mode, figures in run.modes.items():
        yield "all", mode, figures
    for group, modes in by_group(run, table).items():
        for mode, figures in modes.items():
            yield group, mode, figures


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()

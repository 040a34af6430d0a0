"""The figures of a run as one JSON document, and as a table for people."""

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cir.errors import UsageError
from eval.labelled_set import Absent, LabelledSet
from eval.metrics import MEASURES, Scores, mean

NO_GROUP = "(none)"
"""Name under which queries without a group are counted, in a set that has groups."""

_NAMED = 5


def figures(labelled: LabelledSet, scores: Mapping[str, Mapping[str, Scores]]) -> dict[str, Any]:
    """Means over all queries, over each group, and for each mode when there are several.

    Args:
        labelled: the set that was run.
        scores: mode -> query id -> scores; `composed` is there.

    Returns:
        `queries`, `metrics` and `groups` of the composed query, `modes` with the ablations.
    """
    composed = scores["composed"]
    document: dict[str, Any] = {
        "queries": len(labelled.queries),
        "metrics": mean(composed.values()),
        "groups": {
            name: {"queries": len(ids), **mean([composed[query_id] for query_id in ids])}
            for name, ids in _groups(labelled).items()
        },
    }
    if len(scores) > 1:
        document["modes"] = {mode: mean(of_mode.values()) for mode, of_mode in scores.items()}
    return document


def absent_counts(absent: Absent) -> dict[str, int]:
    """How many images and targets the gallery lacks; their queries count as never found."""
    return {
        "references": len(absent.references),
        "targets": len(absent.targets),
        "unreachable_queries": len(absent.unreachable),
    }


def parse_minimum(text: str) -> tuple[str, float]:
    """Name and value of a demanded minimum such as `recall@10=0.7`.

    Raises:
        UsageError: the measure is unknown, or the value is not a number from 0 to 1.
    """
    name, _, value = text.partition("=")
    names = [str(measure) for measure in MEASURES]
    if name not in names:
        raise UsageError(f"--min {text}: write one of {', '.join(names)}, then = and a number.")
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    # Also false for NaN, which no figure could miss.
    if not 0.0 <= number <= 1.0:
        raise UsageError(f"--min {text}: {value!r} is not a number from 0 to 1.")
    return name, number


def print_tables(document: Mapping[str, Any], console: Console) -> None:
    """The document for people: figures by mode, those of the composed query by group, and notes."""
    names = [str(measure) for measure in MEASURES]
    title = Text(f"{document['set']}, encoder {document['encoder']}")
    table = Table(title=title, title_justify="left", box=SIMPLE)
    table.add_column("")
    for heading in ("queries", *names):
        table.add_column(heading, justify="right")
    modes: Mapping[str, Mapping[str, float]] = document.get("modes", {})
    rows = {"composed": document["metrics"], **modes}
    for label, values in rows.items():
        table.add_row(label, str(document["queries"]), *_cells(values))
    for position, (group, values) in enumerate(document["groups"].items()):
        if position == 0:
            table.add_section()
        table.add_row(Text(group), str(values["queries"]), *_cells(values))
    console.print(table)
    for line in _notes(document):
        console.print(Text(line), soft_wrap=True)


def _groups(labelled: LabelledSet) -> dict[str, list[str]]:
    """Group -> ids of its queries, in order of appearance; none when no query has a group."""
    groups: dict[str, list[str]] = {}
    for query in labelled.queries:
        groups.setdefault(query.group or NO_GROUP, []).append(query.id)
    return {} if list(groups) == [NO_GROUP] else groups


def _cells(values: Mapping[str, float]) -> list[str]:
    return [f"{values[str(measure)]:.4f}" for measure in MEASURES]


def _notes(document: Mapping[str, Any]) -> list[str]:
    notes = []
    absent = document["absent"]
    if any(absent.values()):
        notes.append(
            f"Not in the gallery: {absent['references']} reference images, {absent['targets']} "
            f"targets; {absent['unreachable_queries']} queries without a target in it. "
            "What is not there counts as never found."
        )
    failed = document["failed"]
    if failed:
        some = "; ".join(f"{one['path']!r}: {one['reason']}" for one in failed[:_NAMED])
        more = "; ..." if len(failed) > _NAMED else ""
        notes.append(f"Images of the gallery that could not be read: {len(failed)} ({some}{more})")
    seconds = document["seconds"]
    parts = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    return [*notes, f"Seconds: {parts}.", f"Run: {document['run']}"]

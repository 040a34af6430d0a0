"""The figures of a run as one JSON document, and as a table for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cir.errors import UsageError
from eval.evaluation.scoring import figures_of, measures_of
from eval.measures import Measure, RecallSubset, Values, mean
from eval.runs.ranks import composition_gain
from eval.sets.labelled import NATIVE, Absent, LabelledSet

_NAMED = 5
_WIDTH = 56  # of a table's measures, on a terminal of 80 columns
_GAIN_MEASURE = "recall@10"
_BOTH = ("with", "without")


def figures(labelled: LabelledSet, values: Mapping[str, Mapping[str, Values]]) -> dict[str, Any]:
    """Means over all queries, over each group, and for each mode when there are several.

    Args:
        labelled: the set that was run.
        values: mode -> measure -> the value of each query; `composed` is there.

    Returns:
        `queries`, `metrics` and `groups` of the composed query; with the ablations `modes`, and
        `composition_gain`: for each measure the best of the others and the points beyond it.
    """
    document = figures_of(labelled, values["composed"])
    if not labelled.judged:
        return document | {"groups": {}, "judged": False}
    if len(values) > 1:
        modes = {mode: mean(of_mode) for mode, of_mode in values.items()}
        document["modes"] = modes
        document["composition_gain"] = {
            name: {"best": gain.best, "mode": gain.mode, "points": gain.points}
            for name in document["metrics"]
            if (gain := composition_gain(modes, name))
        }
    return document


def absent_counts(absent: Absent) -> dict[str, int]:
    """How many images and targets the gallery lacks; their queries count as never found."""
    counts = {
        "references": len(absent.references),
        "targets": len(absent.targets),
        "unreachable_queries": len(absent.unreachable),
    }
    return counts | ({"others": len(absent.others)} if absent.others else {})


def depth_notes(labelled: LabelledSet, images: int) -> list[str]:
    """Says which measures look deeper than the gallery is."""
    deep = [
        str(measure)
        for measure in measures_of(labelled)
        if not isinstance(measure, RecallSubset) and getattr(measure, "k", 0) > images
    ]
    if not deep:
        return []
    return [
        f"The gallery holds {images} images, so {', '.join(deep)} look at all of them: "
        "they tell little."
    ]


def parse_minimum(text: str, measures: Sequence[Measure] = NATIVE.measures) -> tuple[str, float]:
    """Name and value of a demanded minimum such as `recall@10=0.7`.

    Args:
        text: what somebody wrote.
        measures: those that will be reported.

    Raises:
        UsageError: the measure is unknown, or the value is not a number from 0 to 1.
    """
    name, _, value = text.partition("=")
    names = [str(measure) for measure in measures]
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
    names = list(document["metrics"])
    modes: Mapping[str, Mapping[str, float]] = document.get("modes", {})
    rows = {"composed": document["metrics"], **modes}
    lines = [(label, document["queries"], values) for label, values in rows.items()]
    groups = [(name, values["queries"], values) for name, values in document["groups"].items()]
    if names:
        title = f"{document['set']}, encoder {document['encoder']}"
        print_figures(title, names, lines, groups, console)
    for line in _notes(document):
        console.print(Text(line), soft_wrap=True)


Line = tuple[str, int, Mapping[str, float]]
"""A line of a table: its label, the number of queries, and the figures by measure."""


def print_figures(
    title: str,
    names: Sequence[str],
    lines: Sequence[Line],
    groups: Sequence[Line],
    console: Console,
) -> None:
    """Tables of figures: a line each, and below them the groups."""
    for part in _parts(names):
        table = Table(title=Text(title), title_justify="left", box=SIMPLE)
        table.add_column("")
        for heading in ("queries", *part):
            table.add_column(heading, justify="right")
        for position, (label, queries, values) in enumerate([*lines, *groups]):
            if position == len(lines):
                table.add_section()
            cells = [f"{values[name]:.4f}" for name in part]
            table.add_row(Text(label), str(queries), *cells)
        console.print(table)


def _parts(names: Sequence[str]) -> list[list[str]]:
    """The names in order, as many together as stand side by side."""
    parts: list[list[str]] = [[]]
    for name in names:
        if parts[-1] and sum(len(each) + 2 for each in [*parts[-1], name]) > _WIDTH:
            parts.append([])
        parts[-1].append(name)
    return parts


def _notes(document: Mapping[str, Any]) -> list[str]:
    notes = list(document["notes"])
    gain = document.get("composition_gain", {}).get(_GAIN_MEASURE)
    if gain:
        notes.append(
            f"Composition gain: {gain['points']:+.1f} points of {_GAIN_MEASURE} over "
            f"{gain['mode']}, the best of image, text and their sum."
        )
    if not document["metrics"]:
        notes.append("This split names no targets: there are rankings and no figures.")
    elif _GAIN_MEASURE in document["metrics"]:
        reference = document["reference"]
        both = ", ".join(f"{reference[key][_GAIN_MEASURE]:.4f} {key} it" for key in _BOTH)
        kept = "kept in" if reference["kept"] else "removed from"
        notes.append(f"The reference is {kept} the ranking ({_GAIN_MEASURE}: {both}).")
    absent = document["absent"]
    if any(absent.values()):
        others = f", {absent['others']} other images" if absent.get("others") else ""
        notes.append(
            f"Not in the gallery: {absent['references']} reference images, {absent['targets']} "
            f"targets{others}; {absent['unreachable_queries']} queries without a target in it. "
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

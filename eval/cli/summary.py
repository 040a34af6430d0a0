"""The figures of a run as a table for people, and the minimum that somebody demands of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cir.errors import UsageError
from eval.measures import Measure, parse_measure
from eval.runs.ranks import telling_measure, wording_words

_NAMED = 5
_WIDTH = 56  # of a table's measures, on a terminal of 80 columns
_PIPED = 240  # columns
_GAIN_MEASURE = "recall@10"
_BOTH = ("with", "without")


def parse_minimum(text: str) -> tuple[Measure, float]:
    """Measure and value of a demanded minimum such as `recall@10=0.7`.

    Raises:
        UsageError: there is no such measure, or the value is not a number from 0 to 1.
    """
    name, _, value = text.partition("=")
    try:
        measure = parse_measure(name)
    except UsageError as error:
        raise UsageError(f"--min {text}: {error}") from error
    if measure.lower_is_better:
        raise UsageError(
            f"--min {text}: {measure} is the better the lower it is, so no minimum is asked of it; "
            "--not-worse-than and compare --measure look at it."
        )
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    # Also false for NaN, which no figure could miss.
    if not 0.0 <= number <= 1.0:
        raise UsageError(
            f"--min {text}: {value!r} is not a number from 0 to 1; write, for example, "
            f"{measure}=0.5."
        )
    return measure, number


def new_console() -> Console:
    """Where tables go: a pipe or a file has no edge at which a name would have to be cut."""
    usual = Console()
    return usual if usual.is_terminal else Console(width=_PIPED)


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


Line = tuple[str, int | None, Mapping[str, float]]
"""A line of a table: its label, the number of queries (None for a mean), the figures by measure."""


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
            table.add_column(heading, justify="right", no_wrap=True)
        for position, (label, queries, values) in enumerate([*lines, *groups]):
            if position == len(lines):
                table.add_section()
            cells = [f"{values[name]:.4f}" if name in values else "" for name in part]
            table.add_row(Text(label), "" if queries is None else str(queries), *cells)
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
    measure = telling_measure(document.get("modes", {}), _GAIN_MEASURE)
    gain = document.get("composition_gain", {}).get(measure)
    if gain:
        full = f" ({_GAIN_MEASURE} is full for both)" if measure != _GAIN_MEASURE else ""
        notes.append(
            f"Composition gain: {gain['points']:+.1f} points of {measure} over "
            f"{gain['mode']}, the best of image, text and their sum{full}."
        )
    notes.extend(wording_words(document.get("wordings")))
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
            "What is not there counts as never found; fewer images make figures higher."
        )
    failed = document["failed"]
    if failed:
        some = "; ".join(f"{one['path']!r}: {one['reason']}" for one in failed[:_NAMED])
        more = "; ..." if len(failed) > _NAMED else ""
        notes.append(f"Images of the gallery that could not be read: {len(failed)} ({some}{more})")
    seconds = document["seconds"]
    parts = ", ".join(f"{name} {value:.1f}" for name, value in seconds.items())
    return [*notes, f"Seconds: {parts}.", f"Run: {document['run']}"]


def repetition_lines(document: Mapping[str, Any]) -> list[str]:
    """What came of repeating a run, a sentence each."""
    figures, rankings = document["figures"], document["rankings"]
    lines = ["Figures: the same." if not figures else f"Figures: {len(figures)} differ."]
    lines += [f"  {place}: {old} before, {new} now" for place, (old, new) in figures.items()]
    for side, places in document["one_side"].items():
        if places:
            lines.append(f"Figures that the run {side} alone tells: {', '.join(places)}.")
    for name, each in rankings.items():
        to_the_byte = ", to the byte" if each["bytes"] else "; scores differ"
        lines.append(
            f"Rankings, {name}: {each['queries']} queries differ, the first {each['first']!r}."
            if each["queries"]
            else f"Rankings, {name}: the same{to_the_byte}."
        )
    for key, (old, new) in document["conditions"].items():
        lines.append(f"Made with another {key}: {old} before, {new} now.")
    return [*lines, f"Run: {document['run']}"]

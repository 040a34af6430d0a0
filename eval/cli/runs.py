"""The commands of `python -m eval` that look at runs: comparing them, and a report of one."""

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cir.cli.console import AsJson, Token, Uri, print_document, read_token
from cir.settings import load_settings
from eval.cli.summary import new_console, print_figures
from eval.cli.words import command
from eval.comparison.paired import HEADINGS, LEGEND, Comparison, compare, contender
from eval.runs.averaging import mean_of_runs
from eval.runs.reading import open_run


def add_run_commands(app: typer.Typer) -> None:
    """Give the app these commands."""
    app.command("compare")(_compare)
    app.command("mean")(_mean)
    app.command("report")(_report)


def _compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN...",
            help="Folders of runs, or their names; RUN:sum, RUN:image and RUN:text are a run's "
            "ablations. The first is what the others are compared with.",
        ),
    ],
    measure: Annotated[
        str | None,
        typer.Option(
            help="What to draw conclusions about, for example recall@20; else recall@10. One that "
            "the rank of the first target decides is worked out; others must have been measured."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of resamples and random signs.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare runs of one labelled set: differences, intervals, and what may be chance."""
    with command(as_json):
        runs_dir = load_settings().runs_dir
        contenders = [contender(text, runs_dir) for text in runs]
        compared = compare(contenders, measure=measure, seed=seed)
    if as_json:
        print_document(compared.document())
    else:
        _print_comparison(compared, new_console())


def _mean(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN...", help="Folders of runs, or their names.")
    ],
    as_json: AsJson = False,
) -> None:
    """Average runs on different sets: FashionIQ is reported as the mean of three categories."""
    with command(as_json):
        runs_dir = load_settings().runs_dir
        document = mean_of_runs([open_run(run, runs_dir) for run in runs])
    if as_json:
        print_document(document)
        return
    modes = document["modes"]
    for names in dict.fromkeys(tuple(figures) for figures in modes.values()):
        lines = [(mode, None, each) for mode, each in modes.items() if tuple(each) == names]
        print_figures(f"Mean of {', '.join(document['sets'])}", names, lines, (), new_console())
    for note in document.get("notes", ()):
        typer.echo(note)


def _report(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or its name.")],
    html: Annotated[Path, typer.Option(help="The page to write; it is replaced.")],
    measure: Annotated[
        str | None,
        typer.Option(help="What composing and groups are told in, as of compare; else recall@10."),
    ] = None,
    queries: Annotated[
        int, typer.Option(min=0, max=1000, help="How many of the worst and best queries to show.")
    ] = 10,
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Write a run as one HTML page with pictures, to be opened anywhere, offline."""
    # Here, so that --help does not wait for it.
    from eval.reporting.page import write_report

    with command(as_json):
        settings = load_settings(uri=uri, token=read_token(token))
        opened = open_run(run, settings.runs_dir)
        lacks = write_report(opened, html, settings, measure=measure, count=queries)
    if as_json:
        print_document({"report": str(html), "notes": lacks})
    else:
        typer.echo("\n".join([*lacks, str(html)]))


def _print_comparison(compared: Comparison, console: Console) -> None:
    for other in range(len(compared.differences)):
        title = Text(compared.title(other))
        table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
        for place, heading in enumerate(HEADINGS):
            table.add_column(heading, justify="right" if place else "left", no_wrap=True)
        for cells in compared.rows(other):
            table.add_row(*cells)
        console.print(table)
    console.print(LEGEND)
    for line in (*compared.words(), *compared.notes):
        console.print(Text(line), soft_wrap=True)

"""`python -m eval`: labelled sets from the command line.

Exit codes: 0 done, 1 it failed, 2 wrong use, 3 a demanded minimum was missed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cir.console import (
    MISSED_MINIMUM,
    AsJson,
    Commands,
    Token,
    Uri,
    command,
    print_document,
    read_token,
)
from cir.settings import load_settings
from eval.summary import parse_minimum, print_tables

app = typer.Typer(
    cls=Commands,
    help="Evaluate composed image retrieval on labelled sets.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command("run")
def run_command(
    labelled_set: Annotated[
        Path, typer.Option("--set", help="Folder of the labelled set: queries.jsonl and qrels/.")
    ],
    gallery: Annotated[
        Path | None, typer.Option(help="Folder of images to search; ingested when it changed.")
    ] = None,
    index: Annotated[str | None, typer.Option(help="Index to search, instead of a folder.")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Encoder; without it the index's own, or the default.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Name of the qrels file; without it test, or the only one.")
    ] = None,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Also run image, text and their sum.")
    ] = False,
    keep_reference: Annotated[
        bool, typer.Option("--keep-reference", help="Leave the reference image in the ranking.")
    ] = False,
    allow_missing: Annotated[
        bool,
        typer.Option("--allow-missing", help="Count images that are absent as never found."),
    ] = False,
    minimum: Annotated[
        list[str] | None,
        typer.Option(
            "--min",
            metavar="MEASURE=VALUE",
            help="Exit with 3 when a figure is lower, for example recall@10=0.7; repeatable.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run, new or empty; else a new one.")
    ] = None,
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Run a labelled set over a folder of images or an index; the run is kept on disk."""
    # Here, so that --help does not wait for them.
    from eval.runner import Request, run

    with command(as_json):
        minimums = [parse_minimum(text) for text in minimum or ()]
        request = Request(
            labelled_set=labelled_set,
            gallery=gallery,
            index=index,
            encoder=encoder,
            split=split,
            ablations=ablations,
            keep_reference=keep_reference,
            allow_missing=allow_missing,
            out=out,
        )
        settings = load_settings(uri=uri, token=read_token(token))
        with _progress() as progress:
            document = run(request, settings, progress)
    if as_json:
        print_document(document)
    else:
        print_tables(document, Console())
    _check_minimums(document, minimums)


@app.command("card")
def card_command(
    labelled_set: Annotated[
        Path, typer.Option("--set", help="Folder of the labelled set: queries.jsonl and qrels/.")
    ],
    gallery: Annotated[Path, typer.Option(help="Folder of its images.")],
    encoder: Annotated[str, typer.Option(help="Encoder.")] = "compact",
    table: Annotated[
        Path | None, typer.Option(help="Metadata: adds captions, same types, mistaken colours.")
    ] = None,
    yardstick: Annotated[
        bool, typer.Option("--yardstick", help="Also what needs no training (needs torch).")
    ] = False,
    sheet: Annotated[
        Path | None, typer.Option(help="Where to write queries and results as a picture.")
    ] = None,
    shown: Annotated[
        list[str] | None,
        typer.Option("--show", help="Query of the picture, repeatable; else the worst ones."),
    ] = None,
) -> None:
    """What a model card says of an encoder, as JSON: modes, robustness, speed, worst queries."""
    from eval.card.report import report

    with command(as_json=True):
        document = report(
            labelled_set,
            gallery,
            encoder,
            table=table,
            yardstick=yardstick,
            sheet=sheet,
            shown=shown or (),
        )
    print_document(document)


def _check_minimums(document: dict[str, Any], minimums: list[tuple[str, float]]) -> None:
    missed = [
        f"{name} is {document['metrics'][name]:.4f}, below {value:g}"
        for name, value in minimums
        if document["metrics"][name] < value
    ]
    if missed:
        typer.echo(f"Minimum missed: {'; '.join(missed)}.", err=True)
        raise typer.Exit(MISSED_MINIMUM)


@contextmanager
def _progress() -> Iterator[Any]:
    """A function for `eval.runner.run` that shows a bar a stage, on a terminal's stderr alone."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bars:
        tasks = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done, total=total)

        yield show


if __name__ == "__main__":
    app(prog_name="python -m eval")

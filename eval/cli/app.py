"""`python -m eval`: labelled sets from the command line.

Exit codes: 0 done, 1 it failed, 2 wrong use, 3 a demanded minimum was missed or a repeated run
came out otherwise, 4 worse than another run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from cir.cli.console import (
    ENCODER,
    MISSED_MINIMUM,
    AsJson,
    Commands,
    Device,
    Precision,
    Token,
    Tokenizer,
    Uri,
    Weights,
    print_document,
    progress_bar,
    read_token,
    takes,
)
from cir.search import SearchOptions, bench_options
from cir.settings import load_settings
from eval.cli.reranking import add_rerank_commands
from eval.cli.runs import add_run_commands
from eval.cli.sets import (
    AllowMissing,
    KeepReference,
    Measured,
    Minimum,
    NotWorse,
    Root,
    SearchedBy,
    SearchedIndex,
    SetName,
    Split,
    add_commands,
    asked_measures,
    check_demands,
    with_format_options,
)
from eval.cli.summary import new_console, print_tables, repetition_lines
from eval.cli.words import command
from eval.sets.templates import template_names

app = typer.Typer(
    cls=Commands,
    help="Evaluate composed image retrieval on labelled sets.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command("run")
@with_format_options
@takes(SearchOptions, of=lambda each: each in bench_options())
def run_command(
    labelled_set: SetName,
    root: Root = None,
    gallery: Annotated[
        Path | None, typer.Option(help="Folder of images to search; ingested when it changed.")
    ] = None,
    index: SearchedIndex = None,
    encoder: SearchedBy = None,
    split: Split = None,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="Also run image, text and their sum.")
    ] = False,
    keep_reference: KeepReference = None,
    *,
    reading: Mapping[str, bool],
    template: Annotated[
        str | None,
        typer.Option(
            help=f"How instructions are said: {', '.join(template_names())} as far as the set has "
            "them, or a text with {caption} in it (CIRCO: also {shared_concept})."
        ),
    ] = None,
    allow_missing: AllowMissing = False,
    options: SearchOptions,
    measure: Measured = None,
    minimum: Minimum = None,
    not_worse_than: NotWorse = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run, new or empty; else a new one.")
    ] = None,
    weights: Weights = None,
    tokenizer: Tokenizer = None,
    device: Device = None,
    precision: Precision = "auto",
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Run a labelled set over a folder of images or an index; the run is kept on disk."""
    # Here, so that --help does not wait for them.
    from eval.comparison.comparing import compare
    from eval.comparison.gate import check_same_set, falls, shortfalls
    from eval.comparison.paired import Contender, contender
    from eval.evaluation.running import Request, run
    from eval.runs.reading import open_run
    from eval.sets.catalogue import images_of, load_place, place_of

    worse: list[str] = []
    with command(as_json):
        settings = load_settings(uri=uri, token=read_token(token), device=device)
        before = not_worse_than and contender(not_worse_than, settings.runs_dir)
        with progress_bar() as on_progress:
            place = place_of(labelled_set, root, settings, on_progress)
        measures, minimums = asked_measures(measure, minimum)
        request = Request(
            gallery=gallery or (images_of(place) if index is None else None),
            index=index,
            encoder=encoder,
            measures=measures,
            ablations=ablations,
            keep_reference=keep_reference,
            allow_missing=allow_missing,
            out=out,
            weights=weights,
            tokenizer=tokenizer,
            precision=precision,
            options=options,
        )
        labelled = load_place(place, split, reading, template)
        if before:
            check_same_set(before, labelled)
        with progress_bar() as on_progress:
            document = run(labelled, request, settings, on_progress)
        if before:
            after = Contender(open_run(Path(document["run"]), settings.runs_dir))
            worse = document["worse"] = falls(compare([before, after]))
    if as_json:
        print_document(document)
    else:
        print_tables(document, new_console())
    check_demands(shortfalls(document["metrics"], minimums), worse)


@app.command("repeat")
def repeat_command(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or its name.")],
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoder, where it is one of your own; else the run's.", rich_help_panel=ENCODER
        ),
    ] = None,
    rerank: Annotated[
        str | None,
        typer.Option(help="The run's second stage, where that is a folder of this machine."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the new run, new or empty; else a new one.")
    ] = None,
    weights: Weights = None,
    tokenizer: Tokenizer = None,
    device: Device = None,
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Do a run again, and say whether figures and rankings are the same; exit with 3 where not."""
    from eval.evaluation.repeating import repeat
    from eval.runs.reading import open_run

    with command(as_json):
        settings = load_settings(uri=uri, token=read_token(token), device=device)
        before = open_run(run, settings.runs_dir)
        with progress_bar() as on_progress:
            document = repeat(
                before,
                settings,
                encoder=encoder,
                weights=weights,
                tokenizer=tokenizer,
                rerank=rerank,
                out=out,
                on_progress=on_progress,
            )
    if as_json:
        print_document(document)
    else:
        typer.echo("\n".join(repetition_lines(document)))
    if not document["same"]:
        raise typer.Exit(MISSED_MINIMUM)


@app.command("delete")
def delete_command(
    name: Annotated[str, typer.Argument(help="Name of the run: that of its folder.")],
    as_json: AsJson = False,
) -> None:
    """Delete a run of the data folder."""
    from eval.runs.deleting import delete_run

    with command(as_json):
        delete_run(name, load_settings())
    if as_json:
        print_document({"deleted": name})
    else:
        typer.echo(f"Deleted the run {name!r}.")


@app.command("rename")
def rename_command(
    name: Annotated[str, typer.Argument(help="Name of the run: that of its folder.")],
    new: Annotated[str, typer.Argument(help="What it is called from now on.")],
    as_json: AsJson = False,
) -> None:
    """Give a run of the data folder another name."""
    from eval.runs.naming import rename_run

    with command(as_json):
        renamed = rename_run(name, new, load_settings())
    if as_json:
        print_document({"renamed": name, "name": renamed})
    else:
        typer.echo(f"Renamed the run {name!r}: {renamed!r}.")


@app.command("note")
def note_command(
    name: Annotated[str, typer.Argument(help="Name of the run: that of its folder.")],
    note: Annotated[str, typer.Argument(help="What is noted, in place of what was; '' for none.")],
    as_json: AsJson = False,
) -> None:
    """Write a note beside a run: the Metrics page and its report show it."""
    from eval.runs.naming import annotate_run

    with command(as_json):
        annotate_run(name, note, load_settings())
    if as_json:
        print_document({"run": name, "note": note.strip()})
    else:
        typer.echo(f"Noted beside the run {name!r}.")


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
    allow_missing: AllowMissing = False,
) -> None:
    """What a model card says of an encoder, as JSON: modes, robustness, speed, worst queries."""
    from eval.model_card.report import report
    from eval.sets.formats.native import load_native

    with command(as_json=True):
        document = report(
            load_native(labelled_set),
            gallery,
            encoder,
            load_settings(),
            table=table,
            yardstick=yardstick,
            sheet=sheet,
            shown=shown or (),
            allow_missing=allow_missing,
        )
    print_document(document)


add_commands(app)
add_rerank_commands(app)
add_run_commands(app)

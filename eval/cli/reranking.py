"""The command of `python -m eval` that finetunes a second stage."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.table import Table

from cir.cli.console import (
    AsJson,
    Device,
    Token,
    Uri,
    print_document,
    progress_bar,
    read_token,
)
from cir.settings import load_settings
from eval.cli.sets import Root, SearchedBy, SearchedIndex, SetName, Split
from eval.cli.summary import new_console
from eval.cli.words import command


def add_rerank_commands(app: typer.Typer) -> None:
    """Give the app this command."""
    app.command("finetune-reranker")(_finetune)


def _finetune(
    labelled_set: SetName,
    columns: Annotated[
        str, typer.Option(help="Metadata columns whose text is read, separated by commas.")
    ],
    base: Annotated[
        str,
        typer.Option(
            help="What it begins with, a cross-encoder or a text encoder: a folder, or OWNER/NAME "
            "of the hub."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the reranker, new or empty.")],
    root: Root = None,
    gallery: Annotated[
        Path | None, typer.Option(help="Folder of images with metadata.csv, to search.")
    ] = None,
    index: SearchedIndex = None,
    encoder: SearchedBy = None,
    split: Split = None,
    held_out: Annotated[
        float, typer.Option(help="Share of the reference images whose queries measure it.")
    ] = 0.5,
    steps: Annotated[int, typer.Option(min=1, help="Steps of 8 queries with 8 texts each.")] = 120,
    seed: Annotated[int, typer.Option(help="Draws what is held out, and the training.")] = 0,
    device: Device = None,
    uri: Uri = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Finetune a text reranker on a labelled set, and measure it on the references held out."""
    from cir.rerank.finetuning import Schedule
    from eval.evaluation.reranker_training import FinetuneRequest, finetune_reranker
    from eval.evaluation.running import Request
    from eval.sets.catalogue import images_of, load_place, place_of

    with command(as_json):
        settings = load_settings(uri=uri, token=read_token(token), device=device)
        place = place_of(labelled_set, root, settings)
        searched = gallery or (images_of(place) if index is None else None)
        request = FinetuneRequest(
            Request(gallery=searched, index=index, encoder=encoder),
            [name.strip() for name in columns.split(",") if name.strip()],
            base,
            out,
            held_out,
            Schedule(steps=steps, seed=seed),
        )
        with progress_bar() as on_progress:
            document = finetune_reranker(load_place(place, split), request, settings, on_progress)
    if as_json:
        print_document(document)
    else:
        _print(document)


def _print(document: Mapping[str, Any]) -> None:
    """The figures on what was held out, what was gained, and how the reranker is used."""
    table = Table(title=f"{document['held_out']} queries held out", box=SIMPLE)
    table.add_column("second stage")
    for heading in ("weight", "recall@1", "recall@10"):
        table.add_column(heading, justify="right")
    for row in document["figures"]:
        name = {None: "none", "flag": "finetuned"}.get(row["rerank"], row["rerank"])
        figures = (f"{row[key]:.4f}" for key in ("recall@1", "recall@10"))
        table.add_row(name, f"{row['weight']:g}", *figures)
    new_console().print(table)
    for name, it in document["gains"].items():
        against = "the composed query alone" if name == "alone" else name
        typer.echo(
            f"Recall@1 against {against}: {100 * it['gain']:+.1f} points "
            f"({100 * it['low']:+.1f} to {100 * it['high']:+.1f})."
        )
    typer.echo(f"Trained on {document['queries']} queries in {document['seconds']:.0f} s.")
    typer.echo(f"Use it: --rerank flag:{document['out']}")

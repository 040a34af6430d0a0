"""`python -m cir.training`: train an encoder."""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from cir.errors import RecomposeError

app = typer.Typer(help="Train encoders.", no_args_is_help=True, pretty_exceptions_enable=False)
SHIPPED = Path(__file__).resolve().parent.parent / "encoders" / "compact"


@app.callback()
def _main() -> None:
    """Train encoders; needs requirements-dev.txt."""


@app.command()
def table(
    published: Annotated[
        Path, typer.Argument(metavar="STYLES.csv", help="styles.csv of the data set, as published.")
    ],
    photos: Annotated[
        list[Path], typer.Option(help="Folder of photos, named by product id; repeatable.")
    ],
    out: Annotated[Path, typer.Option(help="The table to write.")] = Path("products.csv"),
    ids: Annotated[
        list[Path] | None,
        typer.Option(help="List of the wanted ids, a split's name as its own; repeatable."),
    ] = None,
) -> None:
    """Turn the published product table into the one that training reads."""
    from cir.training.table import write_product_table

    try:
        counts = write_product_table(published, photos, out, ids or ())
    except RecomposeError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo(
        f"Wrote {counts.written} of {counts.rows} products to {out}. Left out: {counts.unlisted} "
        f"that no list of ids has, {counts.without_photo} without a photo. Mended: "
        f"{counts.mended} names with commas."
    )
    if counts.absent:
        typer.echo(f"{counts.absent} listed ids are not in {published}.", err=True)


@app.command()
def compact(
    photos: Annotated[Path, typer.Option(help="Folder of photos, named by product id.")],
    table: Annotated[Path, typer.Option(help="CSV of products: id, name and attributes.")],
    out: Annotated[Path, typer.Option(help="Where graphs and manifest go.")] = SHIPPED,
    work: Annotated[
        Path, typer.Option(help="Feature cache and checkpoint; a second call continues.")
    ] = Path("training-work"),
    drawings: Annotated[bool, typer.Option(help="Also train on drawn designs.")] = True,
    epochs: Annotated[
        int | None, typer.Option(help="Times the tower sees every photo's attributes.", min=1)
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.", min=1)] = None,
    batch: Annotated[int | None, typer.Option(help="Triplets a step, a multiple of 16.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything drawn.")] = None,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one.")
    ] = "auto",
) -> None:
    """Train the compact encoder on product photos and write its graphs and manifest.

    A call that was stopped is continued by the same call and gives the same files.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    from cir.training.compact import train
    from cir.training.device import training_device
    from cir.training.drawings import drawn_frame
    from cir.training.products import read_products
    from cir.training.settings import TrainingSettings

    given = {"epochs": epochs, "steps": steps, "batch": batch, "seed": seed}
    try:
        chosen = {name: value for name, value in given.items() if value is not None}
        settings = TrainingSettings(**chosen, device=training_device(device))
        products = read_products(photos, table)  # wrong paths are told before anything is drawn
        if drawings:
            products = read_products(photos, table, drawn_frame(work / "drawn"))
        manifest = train(products, out, work, settings)
    except (RecomposeError, ValueError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo(json.dumps(manifest["metrics"], indent=2))


if __name__ == "__main__":
    app()

"""The report behind a model card, as one document."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cir.encoders.registry import encoder_spec, load_encoder
from cir.errors import UsageError
from cir.images import open_image
from eval.model_card.attributes import (
    attributes_of,
    caption_recall,
    mistaken_colours,
    same_type_rate,
)
from eval.model_card.embedded import Embedded, Ranks, embed, recalls
from eval.model_card.robustness import robustness
from eval.model_card.sheet import contact_sheet
from eval.model_card.speed import speed
from eval.model_card.yardstick import yardstick_rows
from eval.sets.formats.native import load_native

WORST = 50


def report(
    labelled_set: Path,
    gallery: Path,
    encoder: str,
    *,
    table: Path | None = None,
    yardstick: bool = False,
    sheet: Path | None = None,
    shown: Sequence[str] = (),
) -> dict[str, Any]:
    """Figures of an encoder on a labelled set.

    Args:
        labelled_set: in the native format. gallery: folder of its images.
        encoder: name of the encoder.
        table: metadata of the images: adds captions, same types and mistaken colours.
        yardstick: whether to run what needs no training beside it.
        sheet: where to write queries with their first results as a picture.
        shown: ids of the queries in the picture; none are the worst.

    Returns:
        `modes` (mode -> group -> measure -> value), `robustness`, `speed`, `worst` (instruction and
        rank of the first target), and with a table `captions`, `same_type_rate`, `colours`.

    Raises:
        RecomposeError: a folder, table, set or encoder that cannot be used.
    """
    embedded = embed(load_native(labelled_set), gallery, load_encoder(encoder))
    groups = [query.group for query in embedded.labelled.queries]
    rows = embedded.modes()
    order = embedded.order(rows["composed"])
    ranks = {mode: embedded.ranks(embedded.order(each)) for mode, each in rows.items()}
    if yardstick:
        ranks["yardstick"] = _yardstick_ranks(embedded)
    document: dict[str, Any] = {
        "set": embedded.labelled.name,
        "encoder": encoder,
        "parameters": encoder_spec(encoder).parameters,
        "modes": {mode: recalls(each, groups) for mode, each in ranks.items()},
        "robustness": robustness(embedded),
        "speed": speed(embedded),
    }
    if table is not None:
        document |= _of_table(embedded, order, table)
    worst = worst_queries(ranks["composed"])
    document["worst"] = [
        {
            "query": embedded.labelled.queries[row].id,
            "group": groups[row],
            "instruction": embedded.labelled.queries[row].instruction,
            "rank": int(ranks["composed"][row]),
        }
        for row in worst
    ]
    if sheet is not None:
        _write_sheet(embedded, order, _rows_of(embedded, shown) or worst, sheet)
    return document


def worst_queries(ranks: Ranks, most: int = WORST) -> list[int]:
    """Rows of the queries whose first target stands deepest, the deepest first."""
    return [int(row) for row in np.argsort(-ranks, kind="stable")[:most]]


def _rows_of(embedded: Embedded, ids: Sequence[str]) -> list[int]:
    places = {query.id: row for row, query in enumerate(embedded.labelled.queries)}
    for each in ids:
        if each not in places:
            raise UsageError(f"The labelled set {embedded.labelled.name} has no query {each!r}.")
    return [places[each] for each in ids]


def _write_sheet(
    embedded: Embedded, order: NDArray[np.int64], rows: Sequence[int], path: Path
) -> None:
    try:
        contact_sheet(embedded, order, rows).save(path, quality=85)
    except (OSError, ValueError) as error:  # a folder that is not there, an unknown ending
        raise UsageError(f"The picture {path} cannot be written: {error}.") from error


def _yardstick_ranks(embedded: Embedded) -> Ranks:
    images = [open_image(embedded.folder / path) for path in embedded.paths]
    rows = yardstick_rows(images)
    return embedded.ranks(embedded.order(rows[embedded.references], rows))


def _of_table(embedded: Embedded, order: NDArray[np.int64], table: Path) -> Mapping[str, Any]:
    attributes = attributes_of(table, embedded)
    return {
        "captions": caption_recall(embedded, attributes),
        "same_type_rate": same_type_rate(embedded, attributes),
        "colours": mistaken_colours(embedded, order, attributes),
    }

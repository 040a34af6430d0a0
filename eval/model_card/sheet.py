"""Queries with their first results, as one picture."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from cir.images import open_image
from eval.runs.queries import ranked_paths
from eval.runs.ranks import COMPOSED
from eval.runs.reading import Run
from eval.sets.labelled import LabelledQuery

SIDE, GAP, LINE = 96, 6, 18
RIGHT, OTHER, REFERENCE = "#2e8b57", "#d0d0d0", "#444444"


def contact_sheet(
    folder: Path,
    queries: Sequence[LabelledQuery],
    run: Run,
    *,
    shown: int = 6,
    columns: int = 2,
) -> Image.Image:
    """One line a query: its reference, its instruction, and the first results, targets in green.

    Args:
        folder: of the gallery.
        queries: which ones, of the run.
        run: what they found.
        shown: results a query. columns: queries beside each other.
    """
    found = ranked_paths(run, COMPOSED, [query.id for query in queries], shown)
    width = (shown + 1) * (SIDE + GAP) + 3 * GAP
    height = SIDE + LINE + 2 * GAP
    lines = -(-len(queries) // columns)
    sheet = Image.new("RGB", (width * columns, height * lines), "white")
    for number, query in enumerate(queries):
        corner = (width * (number % columns) + GAP, height * (number // columns) + GAP)
        _put_query(sheet, corner, folder, query, found.get(query.id, ()))
    return sheet


def _put_query(
    sheet: Image.Image,
    corner: tuple[int, int],
    folder: Path,
    query: LabelledQuery,
    found: Sequence[str],
) -> None:
    left, top = corner
    pencil = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=13)
    pencil.text((left, top), query.instruction, fill="black", font=font)
    _put(sheet, folder / query.reference, (left, top + LINE), REFERENCE)
    for number, path in enumerate(found):
        colour = RIGHT if path in query.targets else OTHER
        x = left + (number + 1) * (SIDE + GAP) + GAP
        _put(sheet, folder / path, (x, top + LINE), colour)


def _put(sheet: Image.Image, path: Path, corner: tuple[int, int], edge: str) -> None:
    picture = open_image(path)
    picture.thumbnail((SIDE, SIDE))
    frame = Image.new("RGB", (SIDE, SIDE), "white")
    frame.paste(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2))
    box = (0, 0, SIDE - 1, SIDE - 1)
    ImageDraw.Draw(frame).rectangle(box, outline=edge, width=3 if edge == RIGHT else 1)
    sheet.paste(frame, corner)

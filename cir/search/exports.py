"""Results as files that people take away: a table, a document, their images, a contact sheet."""

import csv
import io
import itertools
import re
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from cir.cells import safe_cell
from cir.errors import ImageError
from cir.images import SUFFIXES, THUMBNAIL_SIDE, decode
from cir.rerank.fusing import Outcome
from cir.search.references import original
from cir.settings import Settings
from cir.store import Hit, IndexInfo, MilvusIndex

MAX_ZIP_BYTES = 200 * 2**20
"""Where the originals take more, the rest of the images come as thumbnails."""
MAX_ZIP_IMAGES = 1_000
MAX_SHEET_IMAGES = 120
_FACTS = ("rank", "id", "path", "score")
_SHEET_COLUMNS = 6
_MARGIN = 16
_LINE = 20  # pixels of a line of text
_SURROGATES = re.compile("[\ud800-\udfff]")
# The second is on most Linux machines and knows more letters than the one that comes with Pillow.
_FONTS = ("Arial.ttf", "DejaVuSans.ttf")


def results_csv(
    hits: Sequence[Hit], columns: Collection[str], ranks: Sequence[int] | None = None
) -> str:
    """A table of the results, a row each: rank, id, path, score, and the metadata columns.

    `ranks`: those of the results in their search, where some are left out; here and below.
    Text that a spreadsheet would take for a formula gets an apostrophe. A metadata column that has
    the name of a fact is written as `metadata.path`.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heads = [f"metadata.{name}" if name in _FACTS else name for name in columns]
    writer.writerow([*_FACTS, *map(_cell, heads)])
    for rank, hit in zip(ranks or itertools.count(1), hits, strict=False):
        values = [_cell(hit.metadata.get(name, "")) for name in columns]
        writer.writerow([rank, hit.id, _cell(hit.path), f"{hit.score:.6f}", *values])
    return text.getvalue()


def search_document(
    info: IndexInfo,
    query: Mapping[str, Any],
    hits: Sequence[Hit],
    far: bool | None,
    reranked: Sequence[Outcome] = (),
) -> dict[str, Any]:
    """A search and what it found, as JSON has it.

    Args:
        query: what was asked, for example `{"text": "in red", "limit": 10}`.
        far: whether nothing is close, None for not known.
        reranked: what the second stage did, of a search that has one.
    """
    folds = query.get("fold") or query.get("distinct")
    return {
        "index": info.name,
        "encoder": info.encoder,
        "query": dict(query),
        "close": None if far is None else not far,
        **({"rerank": asdict(reranked[0])} if reranked else {}),
        "hits": [
            _hit_document(hit)
            | ({"group_size": hit.group_size} if query.get("group_by") else {})
            | ({"folded": [_hit_document(each) for each in hit.folded]} if folds else {})
            for hit in hits
        ],
    }


def images_zip(
    index: MilvusIndex,
    hits: Sequence[Hit],
    settings: Settings,
    *,
    local: bool,
    ranks: Sequence[int] | None = None,
) -> bytes:
    """A zip file of the results' images, with `files.csv`; file names begin with the rank.

    An image is its original file where that may be read (`local` as in `cir.access.is_readable`)
    and `MAX_ZIP_BYTES` leave room for it, else its thumbnail; the table's column "file" says which
    file is whose, and "is_thumbnail" what it is. At most `MAX_ZIP_IMAGES` of the results.
    """
    taken = hits[:MAX_ZIP_IMAGES]
    records = {record.id: record for record in index.get([hit.id for hit in taken])}
    small = index.thumbnails([hit.id for hit in taken])
    buffer = io.BytesIO()
    rows: list[list[object]] = []
    left = MAX_ZIP_BYTES
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:  # images are packed already
        for rank, hit in zip(ranks or itertools.count(1), taken, strict=False):
            found = (
                original(index, records[hit.id], settings, local=local)
                if hit.id in records and left > 0
                else None
            )
            is_thumbnail = found is None or len(found[0]) > left
            content = small.get(hit.id) if found is None or is_thumbnail else found[0]
            name = ""
            if content is not None:
                name = _file_name(rank, hit.path, is_thumbnail=is_thumbnail)
                left -= len(content)
                archive.writestr(name, content)
            rows.append([rank, _cell(name), is_thumbnail, _cell(hit.path)])
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerows([["rank", "file", "is_thumbnail", "path"], *rows])
        archive.writestr("files.csv", table.getvalue())
    return buffer.getvalue()


def contact_sheet(
    index: MilvusIndex,
    hits: Sequence[Hit],
    titles: Sequence[str],
    heading: str,
    ranks: Sequence[int] | None = None,
) -> bytes:
    """PNG of the results' thumbnails in rows of 6, each with its rank, title and score.

    Args:
        titles: one for each of the hits; too long ones are cut.
        heading: stands above: what was asked.

    At most `MAX_SHEET_IMAGES` of the hits.
    """
    hits = hits[:MAX_SHEET_IMAGES]
    jpegs = index.thumbnails([hit.id for hit in hits])
    cell, tall = THUMBNAIL_SIDE + _MARGIN, THUMBNAIL_SIDE + 2 * _LINE + _MARGIN
    columns = max(1, min(_SHEET_COLUMNS, len(hits)))
    width = max(2 * cell, columns * cell) + _MARGIN
    top = 2 * _MARGIN + _LINE
    height = top + -(-len(hits) // columns) * tall
    sheet = Image.new("RGB", (width, height), "white")
    draw, font = ImageDraw.Draw(sheet), _font(14)
    draw.text(
        (_MARGIN, _MARGIN), _cut(draw, heading, font, width - 2 * _MARGIN), "black", font=font
    )
    ranked = zip(ranks or itertools.count(1), hits, titles, strict=False)
    for at, (rank, hit, title) in enumerate(ranked):
        left, upper = _MARGIN + at % columns * cell, top + at // columns * tall
        _paste(sheet, jpegs.get(hit.id), left, upper)
        under = upper + THUMBNAIL_SIDE + 2
        line = _cut(draw, f"{rank}  {title}", font, THUMBNAIL_SIDE)
        draw.text((left, under), line, "black", font=font)
        draw.text((left, under + _LINE - 2), f"{hit.score:.3f}", "#555555", font=font)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _hit_document(hit: Hit) -> dict[str, Any]:
    return {
        "id": hit.id,
        "path": hit.path,
        "score": hit.score,
        "metadata": dict(hit.metadata),
        **({"reranked": asdict(hit.reranked)} if hit.reranked else {}),
    }


def _paste(sheet: Image.Image, jpeg: bytes | None, left: int, upper: int) -> None:
    """The thumbnail in its own proportions, at the foot of its square."""
    try:
        picture = None if jpeg is None else decode(jpeg).image
    except ImageError:  # others may write to a shared Milvus
        picture = None
    if picture is None:
        draw = ImageDraw.Draw(sheet)
        draw.rectangle(
            (left, upper, left + THUMBNAIL_SIDE, upper + THUMBNAIL_SIDE), outline="#bbbbbb"
        )
        return
    picture.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    across = (THUMBNAIL_SIDE - picture.width) // 2
    sheet.paste(picture, (left + across, upper + THUMBNAIL_SIDE - picture.height))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _cut(
    draw: ImageDraw.ImageDraw,
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    width: int,
) -> str:
    """The text on one line of at most this many pixels, with an ellipsis where it is cut."""
    line = " ".join(_shown(text).split())[:300]
    if draw.textlength(line, font) <= width:
        return line
    while line and draw.textlength(f"{line}…", font) > width:
        line = line[:-1]
    return f"{line}…"


def _file_name(rank: int, path: str, *, is_thumbnail: bool) -> str:
    """A name that every system takes; thumbnails are JPEG, whatever the original is."""
    name = PurePosixPath(_shown(path))
    ending = name.suffix.lower()
    ending = ".jpg" if is_thumbnail or ending not in SUFFIXES else ending
    safe = "".join(c if c.isprintable() and c not in '<>:"/\\|?*' else "_" for c in name.stem)
    return f"{rank:04} {safe[:80].strip(' .') or 'image'}{ending}"


def _cell(value: object) -> object:
    return safe_cell(_shown(value) if isinstance(value, str) else value)


def _shown(text: str) -> str:
    """Text that can be written: what stands for bytes that are no UTF-8 is replaced."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)

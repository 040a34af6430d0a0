"""The published product table turned into the one that training reads."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cir.errors import RecomposeError, UsageError

PUBLISHED = (
    "id", "gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "year",
    "usage", "productDisplayName",
)  # fmt: skip
"""Columns of `styles.csv` of the data set "Fashion Product Images" (P. Aggarwal, MIT licence)."""

WRITTEN = ("id", "split", *PUBLISHED[1:-1], "name")


@dataclass
class Counts:
    """What became of the rows of a published table.

    Attributes:
        rows: read. written: of these.
        mended: names with commas that the file does not quote, among all rows.
        unlisted: left out, for no list has their ids. without_photo: left out of the others.
        absent: listed ids of which the table has no row.
    """

    rows: int = 0
    written: int = 0
    mended: int = 0
    unlisted: int = 0
    without_photo: int = 0
    absent: int = 0


def write_product_table(
    published: Path, photos: Sequence[Path], out: Path, ids: Sequence[Path] = ()
) -> Counts:
    """Write the products that have a photo, as training reads them, by id.

    Args:
        published: `styles.csv` as published. Its last column holds commas without quotes.
        photos: folders of photos that are named by id.
        out: the table, which is replaced; columns as `WRITTEN`.
        ids: lists of the wanted ids, one a line. The name of a list without its ending is the
            `split` of its products; without lists all are wanted, and the split is empty.

    Raises:
        UsageError: a file or folder is missing, a column or field is, or no row has a photo.
        RecomposeError: the table cannot be written.
    """
    splits = {number: path.stem for path in ids for number in _read(path).split()}
    shown = {name for folder in photos for name in _photo_names(folder)}
    counts, found, kept = Counts(), set(), []
    for row in _rows(published, counts):
        found.add(row["id"])
        if splits and row["id"] not in splits:
            counts.unlisted += 1
        elif row["id"] not in shown:
            counts.without_photo += 1
        else:
            kept.append([row["id"], splits.get(row["id"], ""), *list(row.values())[1:]])
    if not kept:
        raise UsageError(f"No row of {published} that is asked for has a photo.")
    counts.written, counts.absent = len(kept), len(splits.keys() - found)
    _write(out, sorted(kept))
    return counts


def _rows(published: Path, counts: Counts) -> Iterator[Mapping[str, str]]:
    """Each row by its columns; fields beyond the last column are parts of the name."""
    reader = csv.reader(io.StringIO(_read(published), newline=""))
    if tuple(next(reader, ())) != PUBLISHED:
        raise UsageError(
            f"{published} is not the published table. Its columns must be {', '.join(PUBLISHED)}."
        )
    last = len(PUBLISHED) - 1
    for fields in filter(None, reader):
        if len(fields) <= last:
            raise UsageError(f"{published}, line {reader.line_num}: fields are missing.")
        counts.rows += 1
        counts.mended += len(fields) > len(PUBLISHED)
        yield dict(zip(PUBLISHED, (*fields[:last], ",".join(fields[last:])), strict=True))


def _photo_names(folder: Path) -> Iterator[str]:
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder of photos.")
    return (path.stem for path in folder.iterdir() if path.is_file())


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise UsageError(f"{path} cannot be read ({reason}).") from error


def _write(out: Path, rows: Sequence[Sequence[str]]) -> None:
    try:
        with out.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([WRITTEN, *rows])
    except OSError as error:
        raise RecomposeError(f"{out} cannot be written ({error.strerror or error}).") from error

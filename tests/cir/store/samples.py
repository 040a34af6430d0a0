"""Rows to store."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cir.store import ColumnType, ImageRecord, Metadata, MilvusIndex, Row, image_id
from cir.store.registry import Registry

DIM = 4
COLUMNS: dict[str, ColumnType] = {
    "colour": "string",
    "year": "integer",
    "price": "number",
    "new": "boolean",
    'odd "name"\n': "string",
}
ODD_NAMES = [
    "o'brien.jpg",
    "x') OR ('a.jpg'='a.jpg",
    "back\\slash.jpg",
    "new\nline.jpg",
    "carriage\rreturn.jpg",
    "tab\t.jpg",
    'quote".jpg',
    "per%cent_.jpg",
    "emoji 😀.jpg",
    "日本語/写真.jpg",
    "кириллица.jpg",
    "not utf-8 \udcff\udce9.jpg",
    "\\u0041.jpg",
    "\U000f000000000a.jpg",
    "{}.jpg",
    "a" * 4000 + ".jpg",
]


def content(text: str) -> str:
    """A content hash."""
    return hashlib.md5(text.encode("utf-8", "surrogateescape")).hexdigest()


def unit(*values: float) -> NDArray[np.float32]:
    """A unit vector of length `DIM` that begins with the values."""
    vector = np.zeros(DIM, dtype=np.float32)
    vector[: len(values)] = values
    return vector / np.linalg.norm(vector)


def row(
    path: str,
    vector: NDArray[np.float32] | None = None,
    metadata: Metadata | None = None,
    thumbnail: bytes | None = None,
    content_of: str | None = None,
) -> Row:
    """A row for an image; its content is that of the path unless `content_of` names another."""
    record = ImageRecord(
        id=image_id(path),
        path=path,
        content_hash=content(content_of or path),
        size=10,
        modified=1_700_000_000_000_000_000,
        width=640,
        height=480,
        metadata=metadata or {},
    )
    return Row(record, unit(1.0) if vector is None else vector, thumbnail)


def fan(paths: Sequence[str]) -> list[Row]:
    """Rows whose similarity to `unit(1)` falls from the first to the last."""
    return [row(path, unit(1.0, 0.1 * number)) for number, path in enumerate(paths)]


def as_made_before(index: MilvusIndex) -> None:
    """Give an index the type that earlier versions gave it, and no recall."""
    index._images.index_anew("AUTOINDEX")
    facts = {"index_type": "AUTOINDEX", "recall": None}
    index._info = Registry(index._connection).update(index.info, facts)

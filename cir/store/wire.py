"""How records are written into Milvus fields, and read back."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cir.errors import StoreError
from cir.store.records import ColumnType, ImageRecord, Metadata, Row

MAX_PATH_BYTES = 16_384
MAX_METADATA_BYTES = 65_000
INT64 = 2**63

ESCAPE = "\U000f0000"
# Control characters, because no literal of Milvus Lite can hold a line break and no Milvus finds a
# column with one in its name; surrogates, the bytes of a file name that are not UTF-8, because
# protobuf refuses them; and the escape itself.
_SPECIAL = re.compile(f"[\0-\x1f\ud800-\udfff{ESCAPE}]")
_ESCAPED = re.compile(f"{ESCAPE}([0-9a-f]{{6}})")
_KEY = re.compile(r"[0-9a-f]{32}")

RECORD_FIELDS = ("id", "path", "content_hash", "size", "modified", "width", "height", "meta")


def encode_text(text: str) -> str:
    """The form in which a text stands in a field or an expression: valid UTF-8 on one line."""
    return _SPECIAL.sub(lambda match: f"{ESCAPE}{ord(match[0]):06x}", text)


def decode_text(text: str) -> str:
    """Inverse of `encode_text`."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def is_key(text: str) -> bool:
    """Whether a text is 32 hex digits: the only form of key that Milvus Lite keeps safely."""
    return bool(_KEY.fullmatch(text))


def check_rows(rows: Sequence[Row], dim: int, columns: Mapping[str, ColumnType]) -> None:
    """Refuse rows that some backend would reject, damage or store as something else.

    Raises:
        StoreError: naming the first bad row by its path.
    """
    for row in rows:
        problem = _record_problem(row.record) or _vector_problem(row.vector, dim)
        problem = problem or _metadata_problem(row.record.metadata, columns)
        if problem:
            raise StoreError(f"{row.record.path!r:.300} cannot be stored: {problem}.")


def fields_of(row: Row) -> dict[str, Any]:
    """Field values of a checked row, without its thumbnail."""
    record = row.record
    return {
        "id": record.id,
        "path": encode_text(record.path),
        "content_hash": record.content_hash,
        "size": int(record.size),
        "modified": int(record.modified),
        "width": int(record.width),
        "height": int(record.height),
        "meta": _encode_metadata(record.metadata),
        "vector": np.asarray(row.vector, dtype=np.float32),
    }


def record_of(fields: Mapping[str, Any]) -> ImageRecord:
    """The record that stands in field values named by `RECORD_FIELDS`."""
    return ImageRecord(
        id=fields["id"],
        path=decode_text(fields["path"]),
        content_hash=fields["content_hash"],
        size=fields["size"],
        modified=fields["modified"],
        width=fields["width"],
        height=fields["height"],
        metadata=decode_metadata(fields["meta"]),
    )


def decode_metadata(meta: Mapping[str, Any] | None) -> dict[str, Any]:
    """Metadata that stands in a `meta` field."""
    return {decode_text(name): _decoded(value) for name, value in (meta or {}).items()}


def batches(rows: Iterable[dict[str, Any]], max_bytes: int) -> Iterable[list[dict[str, Any]]]:
    """Rows in groups of at most about `max_bytes` on the wire, at least one row a group."""
    group: list[dict[str, Any]] = []
    total = 0
    for row in rows:
        size = _wire_bytes(row)
        if group and total + size > max_bytes:
            yield group
            group, total = [], 0
        group.append(row)
        total += size
    if group:
        yield group


def _wire_bytes(row: Mapping[str, Any]) -> int:
    texts = len(row["path"].encode()) + len(row.get("thumbnail", ""))
    return int(row["vector"].nbytes) + texts + len(json.dumps(row["meta"])) + 200


def _record_problem(record: ImageRecord) -> str:
    if not is_key(record.id) or not is_key(record.content_hash):
        return "its id and its content hash must each be 32 hex digits"
    if not record.path:
        return "it has no path"
    if len(encode_text(record.path).encode()) > MAX_PATH_BYTES:
        return f"its path is longer than {MAX_PATH_BYTES} bytes"
    numbers = (record.size, record.modified, record.width, record.height)
    if not all(-INT64 <= number < INT64 for number in numbers):
        return "its size or date does not fit into 64 bits"
    return ""


def _vector_problem(vector: Any, dim: int) -> str:
    shape = np.shape(vector)
    if shape != (dim,):
        return f"its embedding has shape {shape}, the index holds ({dim},)"
    if not np.isfinite(vector).all():
        return "its embedding holds a value that is not a finite number"
    return ""


def _metadata_problem(metadata: Metadata, columns: Mapping[str, ColumnType]) -> str:
    for name, value in metadata.items():
        if name not in columns:
            return f"the index has no metadata column {name!r}"
        if value is not None and not fits(value, columns[name]):
            return f"column {name!r} holds values of type {columns[name]}, not {value!r:.60}"
    if len(json.dumps(_encode_metadata(metadata)).encode()) > MAX_METADATA_BYTES:
        return f"its metadata is longer than {MAX_METADATA_BYTES} bytes"
    return ""


def fits(value: Any, column: ColumnType) -> bool:
    """Whether a value is of a column's type."""
    if column == "boolean":
        return isinstance(value, bool)
    if column == "string":
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    if column == "integer":
        return isinstance(value, int) and -INT64 < value < INT64
    return isinstance(value, int | float) and _finite(value)


def _finite(value: int | float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def _encode_metadata(metadata: Metadata) -> dict[str, Any]:
    return {
        encode_text(name): _encoded(value) for name, value in metadata.items() if value is not None
    }


def _encoded(value: Any) -> Any:
    if isinstance(value, str):
        return encode_text(value)
    too_long = isinstance(value, int) and abs(value) >= INT64
    return float(value) if too_long else value


def _decoded(value: Any) -> Any:
    return decode_text(value) if isinstance(value, str) else value

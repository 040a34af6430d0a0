"""An index as one Parquet file, and such a file as an index.

That is backup and restore, and the way to another Milvus without encoding again.

A file may come from anybody. Nothing in it names code or a place that is opened here: of the
encoder it keeps name and fingerprint, its source folder is only told, and every row is checked
before it is written. Files are written without compression and dictionaries, and no others are
read: so a small file cannot unpack to much.
"""

import contextlib
import dataclasses
import io
import json
import os
import re
import secrets
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from cir.errors import RecomposeError, StoreError, UnknownIndexError, UsageError, WayOut
from cir.images import is_thumbnail
from cir.progress import OnProgress, ProgressTeller
from cir.store import (
    ColumnType,
    ImageRecord,
    IndexInfo,
    IndexState,
    MilvusIndex,
    MilvusStore,
    Row,
    image_id,
)
from cir.store.exactness import EXACT_IMAGES, index_type_for
from cir.store.registry import MAX_NAME, usual_scores_of
from cir.store.store import MAX_DIM
from cir.store.wire import check_rows, decode_text, encode_text

FORMAT = "Recompose index"
VERSION = 1
_HEAD = b"recompose"  # the key of the head among the file's own metadata
_HEAD_BYTES = 2**20
_FOOTER_BYTES = 64 * 2**20  # some two million images
_GROUP_BYTES = 16 * 2**20
_MOST_GROUP_BYTES = 64 * 2**20
_MOST_GROUP_ROWS = 20_000
_WRITE_ROWS = 256
_UNIT = 1e-3  # how far from 1 the length of an embedding may be
_FACT = 200  # characters of the name of an encoder and the like
_ARROW: Mapping[ColumnType, str] = {
    "string": "string",
    "integer": "int64",
    "number": "float64",
    "boolean": "bool",
}
_NUMBERS = ("size", "modified", "width", "height")


@dataclass(frozen=True)
class Transfer:
    """What an export or an import moved.

    Attributes:
        index, encoder: their names.
        file: written or read.
        images: how many. bytes: size of the file.
        source: the folder that the index was made from, where the export was made.
        state: of the index, "ready" or "building".
        seconds: from start to end.
    """

    index: str
    encoder: str
    file: Path
    images: int
    bytes: int
    source: str | None
    state: IndexState
    seconds: float


def usual_file(name: str) -> Path:
    """Where an index of this name is exported to, unless somebody says: in the working folder."""
    stem = re.sub(r"[^\w.-]+", "-", name).strip(".-") or "index"
    return Path(f"{stem}.parquet")


def export_index(
    index: MilvusIndex,
    file: Path,
    *,
    replace: bool = False,
    on_progress: OnProgress | None = None,
) -> Transfer:
    """Write an index with its embeddings and thumbnails into one file, in bounded memory.

    Embeddings that are not of unit length are scaled to it, which no score notices. Thumbnails that
    are no small JPEG files are left out.

    Args:
        replace: whether a file of this name may be replaced.
        on_progress: called after each group of rows, in this thread. What it raises ends the
            export, which then leaves no file.

    Raises:
        UsageError: there is such a file, or it cannot have this name.
        StoreError: Milvus failed, the index was changed meanwhile, or an embedding is no direction.
        RecomposeError: the disk refuses.
    """
    started = time.monotonic()
    if file.is_dir():
        raise UsageError(f"{file} is a folder. Name a file.")
    if file.exists() and not replace:
        raise UsageError(f"There is already a file {file}.", WayOut.REPLACE_FILE)
    partial = file.with_name(f".export-{secrets.token_hex(6)}")
    try:
        with partial.open("xb") as stream:
            info, images = _write(index, stream, on_progress)
            stream.flush()
            os.fsync(stream.fileno())
        size = partial.stat().st_size
        partial.replace(file)
    except OSError as error:
        raise RecomposeError(
            f"The index cannot be written to {file} ({error.strerror or error}). Make room, or "
            "name a file in another folder."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    seconds = time.monotonic() - started
    return Transfer(info.name, info.encoder, file, images, size, info.source, info.state, seconds)


def import_index(
    store: MilvusStore,
    file: Path,
    name: str | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> Transfer:
    """Make an index of a file that `export_index` wrote, in any store, in bounded memory.

    The index is complete only when all rows are in. A call that was cut short is continued by the
    same call. The index has no source folder, since that may be another one here: an update from
    a folder names it, and encodes nothing that is unchanged.

    Args:
        name: of the index; None takes the one it had.
        on_progress: called after each group of rows, in this thread. What it raises ends the
            import, which the same call later continues.

    Raises:
        UsageError: this is no such file, it is damaged, or the name is taken. Nothing is left then.
        ReadOnlyError: this Recompose changes nothing.
        StoreError: Milvus failed; the same call later continues.
    """
    started = time.monotonic()
    with _opened(file) as backup:
        info = dataclasses.replace(backup.info, name=name or backup.info.name)
        index = _open_or_create(store, info, backup)
        teller = ProgressTeller(backup.images, on_progress, stage="Importing")
        teller.count(0)
        try:
            for rows in backup.rows():
                # Other indexes may hold the same content: their thumbnails stay as they are.
                index.upsert(rows, replace_thumbnails=False)
                teller.count(len(rows))
        except UsageError:  # the file, which another try would not mend
            with contextlib.suppress(RecomposeError):
                store.drop(info.name)
            raise
        count = index.count()
        if count != backup.images:
            raise StoreError(
                f'The index "{info.name}" holds {count:,} images, and {file} {backup.images:,}: '
                "not all was kept, or something else was written into it. Drop the index and "
                "import again."
            )
        title = info.title_column if info.title_column in info.columns else ""
        index.update(
            state=info.state, count=count, import_of="", title_column=title, usual=info.usual
        )
        index.settle()
        size = file.stat().st_size
    seconds = time.monotonic() - started
    return Transfer(info.name, info.encoder, file, count, size, info.source, info.state, seconds)


def _open_or_create(store: MilvusStore, info: IndexInfo, backup: "_Backup") -> MilvusIndex:
    """A new index, or the one that an earlier call did not complete."""
    try:
        index = store.open(info.name, strong=True)
    except UnknownIndexError:
        return store.create(
            info.name,
            encoder=info.encoder,
            fingerprint=info.fingerprint,
            precision=info.precision,
            dim=info.dim,
            columns=info.columns,
            exact=index_type_for(store.backend, lambda: backup.images <= EXACT_IMAGES) == "FLAT",
            import_of=backup.id,
        )
    if index.info.state != "building" or index.info.import_of != backup.id:
        raise UsageError(
            f'There is already an index "{info.name}" in {store.place}. Choose another name, or '
            "drop that one first."
        )
    return index


def _write(
    index: MilvusIndex, stream: io.BufferedWriter, on_progress: OnProgress | None
) -> tuple[IndexInfo, int]:
    """Write the rows, then the head; the index's record and the number of rows."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    info = index.reread()
    schema = _schema(info.dim, info.columns)
    images = 0
    teller = ProgressTeller(index.count(), on_progress, stage="Exporting")
    teller.count(0)
    options = {"compression": "none", "use_dictionary": False, "write_statistics": False}
    with ParquetWriter(stream, schema, **options) as writer:
        for rows in index.iterate_rows():
            batch = pyarrow.record_batch(_columns(rows, info, schema), schema=schema)
            step = max(1, batch.num_rows * _GROUP_BYTES // max(batch.nbytes, _GROUP_BYTES))
            for at in range(0, batch.num_rows, step):
                writer.write_batch(batch.slice(at, step))
            images += len(rows)
            teller.count(len(rows))
        if index.reread() != info:
            raise StoreError(
                f'The index "{info.name}" was changed while it was exported. Export it again when '
                "that has come to its end."
            )
        writer.add_key_value_metadata({_HEAD.decode(): _head(info)})
    return info, images


def _head(info: IndexInfo) -> str:
    """The record of an index, as JSON: what made it, and nothing of this machine but its source."""
    kept = (
        *("name", "encoder", "fingerprint", "precision", "dim", "source", "columns", "state"),
        *("index_type", "created", "updated", "title_column"),
    )
    facts = {key: getattr(info, key) for key in kept} | {"columns": dict(info.columns)}
    if info.usual is not None:
        facts["usual"] = dataclasses.asdict(info.usual)
    return json.dumps({"format": FORMAT, "version": VERSION, "id": uuid.uuid4().hex} | facts)


def _schema(dim: int, columns: Mapping[str, ColumnType]) -> Any:
    """Columns of the file; those of the metadata are the fields of one struct."""
    import pyarrow as pa

    def needed(name: str, kind: Any) -> Any:
        return pa.field(name, kind, nullable=False)

    fields = [needed(name, pa.string()) for name in ("id", "path", "content_hash")]
    fields += [needed(name, pa.int64()) for name in _NUMBERS]
    if columns:  # Parquet knows no struct without fields
        types = [
            pa.field(encode_text(name), pa.type_for_alias(_ARROW[kind]))
            for name, kind in columns.items()
        ]
        fields.append(needed("metadata", pa.struct(types)))
    fields.append(needed("vector", pa.list_(needed("element", pa.float32()), dim)))
    fields.append(pa.field("thumbnail", pa.binary()))
    return pa.schema(fields)


def _columns(rows: Sequence[Row], info: IndexInfo, schema: Any) -> list[Any]:
    import pyarrow as pa

    records = [row.record for row in rows]
    cells: dict[str, Any] = {
        "id": [record.id for record in records],
        "path": [encode_text(record.path) for record in records],
        "content_hash": [record.content_hash for record in records],
        "thumbnail": [_kept(row.thumbnail) for row in rows],
    }
    cells |= {name: [getattr(record, name) for record in records] for name in _NUMBERS}
    if info.columns:
        cells["metadata"] = [_metadata_out(record, info) for record in records]
    units = pa.array(_units(rows, info.name).ravel())
    kind = schema.field("vector").type
    return [
        pa.FixedSizeListArray.from_arrays(units, type=kind)
        if field.name == "vector"
        else pa.array(cells[field.name], field.type)
        for field in schema
    ]


def _kept(thumbnail: bytes | None) -> bytes | None:
    return thumbnail if thumbnail is not None and is_thumbnail(thumbnail) else None


def _metadata_out(record: ImageRecord, info: IndexInfo) -> dict[str, Any]:
    def out(column: str, value: Any) -> Any:
        if info.columns.get(column) == "number":
            return float(value)
        return encode_text(value) if isinstance(value, str) else value

    return {encode_text(name): out(name, value) for name, value in record.metadata.items()}


def _units(rows: Sequence[Row], name: str) -> NDArray[np.float32]:
    """`(n, dim)` embeddings: those of unit length as they are, bit for bit, others scaled to it."""
    vectors = np.array([row.vector for row in rows], dtype=np.float32)
    lengths = _lengths(vectors)
    for row, length in zip(rows, lengths, strict=True):
        if not (np.isfinite(length) and length > 0):
            raise StoreError(
                f'The index "{name}" cannot be exported: the embedding of {row.record.path!r:.300} '
                "has no direction."
            )
    odd = np.abs(lengths - 1) > _UNIT
    vectors[odd] /= lengths[odd, None]
    return vectors


def _lengths(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return lengths


@contextlib.contextmanager
def _opened(file: Path) -> Iterator["_Backup"]:
    """The file, its head checked; what Arrow raises on the way is a sentence."""
    if not file.exists():
        raise UsageError(f"There is no file {file}.")
    if not file.is_file():
        raise UsageError(f"{file} is not an ordinary file. Name a file that an export wrote.")
    from pyarrow.parquet import ParquetFile

    with contextlib.ExitStack() as opened:
        with _read(file):
            _check_footer(file)
            # Without pre-buffering: that would read all row groups ahead.
            parquet = opened.enter_context(ParquetFile(file, pre_buffer=False, memory_map=False))
            backup = _Backup(file, parquet)
        yield backup


@contextlib.contextmanager
def _read(file: Path) -> Iterator[None]:
    """What Arrow raises as it reads a file is a sentence; the disk's errors have a number."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        if getattr(error, "errno", None) is not None:
            reason = getattr(error, "strerror", None) or error
            raise RecomposeError(f"{file} cannot be read ({reason}).") from error
        raise UsageError(
            f"{file} is damaged and cannot be imported. Take another copy, or export again."
        ) from error


def _check_footer(file: Path) -> None:
    """Refuse what does not end as a Parquet file does, before anything of it is taken in."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        stream.seek(max(0, size - 8))
        end = stream.read(8)
    if end[4:] != b"PAR1":
        raise _foreign(file, "it is no Parquet file, or its end is missing")
    if not 0 < int.from_bytes(end[:4], "little") <= min(size, _FOOTER_BYTES):
        raise _foreign(file, "its footer is damaged")


class _Backup:
    """An opened file.

    Attributes:
        info: the record of its index; without a collection, and without paths of weights.
        id: of the export, 32 hex digits.
        images: number of its rows.
    """

    def __init__(self, file: Path, parquet: Any) -> None:
        self._file = file
        self._parquet = parquet
        self.images = int(parquet.metadata.num_rows)
        self.info, self.id = _read_head(file, parquet.metadata.metadata or {})
        self._schema = _schema(self.info.dim, self.info.columns)
        self._check_shape()

    def rows(self) -> Iterator[list[Row]]:
        """The rows, checked, in groups; errors name what is wrong with which.

        Ids stand in ascending order: so none is there twice.
        """
        last = ""
        for batch in self._batches():
            rows = self._rows(batch)
            for row in rows:
                if row.record.id <= last:
                    raise self._bad(row.record.path, "its row is out of order")
                last = row.record.id
            yield rows

    def _batches(self) -> Iterator[Any]:
        for number in range(self._parquet.metadata.num_row_groups):
            with _read(self._file):
                batches = self._parquet.iter_batches(_WRITE_ROWS, row_groups=[number])
            while True:
                with _read(self._file):
                    batch = next(batches, None)
                    if batch is not None:
                        batch.validate(full=True)
                if batch is None:
                    break
                yield batch

    def _check_shape(self) -> None:
        facts = self._parquet.metadata
        if not self._parquet.schema_arrow.equals(self._schema):
            raise _foreign(self._file, "its columns are not those that it tells of")
        groups = [facts.row_group(number) for number in range(facts.num_row_groups)]
        if sum(group.num_rows for group in groups) != self.images:
            raise _foreign(self._file, "its number of rows is wrong")
        for group in groups:
            columns = [group.column(at) for at in range(group.num_columns)]
            size = sum(
                max(each.total_compressed_size, each.total_uncompressed_size, 0) for each in columns
            )
            if group.num_rows > _MOST_GROUP_ROWS or size > _MOST_GROUP_BYTES:
                raise _foreign(self._file, "a group of its rows is too large")
            if any(
                each.compression != "UNCOMPRESSED"
                or each.has_dictionary_page
                or not {"PLAIN", "RLE"}.issuperset(each.encodings)
                for each in columns
            ):
                raise _foreign(self._file, "another program has written it anew")

    def _rows(self, batch: Any) -> list[Row]:
        vectors = batch.column("vector").flatten().to_numpy().reshape(-1, self.info.dim)
        lengths = _lengths(vectors)
        names = [name for name in self._schema.names if name != "vector"]
        rows: list[Row] = []
        for at, cells in enumerate(batch.select(names).to_pylist()):
            path = cells["path"]
            try:
                path = decode_text(path)
                record = self._record(path, cells)
                rows.append(Row(record, vectors[at], cells["thumbnail"]))
            except ValueError as error:  # an escape that stands for nothing
                raise self._bad(path, "its text is damaged") from error
            if not abs(lengths[at] - 1) <= _UNIT:  # also where it is not a number
                raise self._bad(path, "its embedding is not of unit length")
            thumbnail = cells["thumbnail"]
            if thumbnail is not None and not is_thumbnail(thumbnail):
                raise self._bad(path, "its thumbnail is not a small JPEG file")
        try:
            check_rows(rows, self.info.dim, self.info.columns)
        except StoreError as error:
            raise UsageError(f"{self._file} cannot be imported: {error}") from error
        return rows

    def _record(self, path: str, cells: Mapping[str, Any]) -> ImageRecord:
        if cells["id"] != image_id(path):
            raise self._bad(path, "its id is not that of its path")
        place = Path(path)
        if place.is_absolute() or place.drive or ".." in place.parts or "\0" in path:
            raise self._bad(path, "its path leads out of the folder of the images")
        metadata = {
            decode_text(name): decode_text(value) if isinstance(value, str) else value
            for name, value in cells.get("metadata", {}).items()
            if value is not None
        }
        numbers = {name: cells[name] for name in _NUMBERS}
        return ImageRecord(
            cells["id"], path, content_hash=cells["content_hash"], **numbers, metadata=metadata
        )

    def _bad(self, path: str, problem: str) -> UsageError:
        return UsageError(f"{self._file} cannot be imported: of {path!r:.300}, {problem}.")


def _read_head(file: Path, metadata: Mapping[bytes, bytes]) -> tuple[IndexInfo, str]:
    """The record of the index and the id of the export; every fact is of the kind it must be."""
    written = metadata.get(_HEAD)
    if written is None or len(written) > _HEAD_BYTES:
        raise _foreign(file, "Recompose did not write it")
    try:
        head = json.loads(written)
    except (ValueError, RecursionError) as error:
        raise _foreign(file, "what it tells of its index is damaged") from error
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise _foreign(file, "Recompose did not write it")
    version = head.get("version")
    if version != VERSION:
        raise UsageError(
            f"{file} is in version {version!r:.20} of the format, and this Recompose reads "
            f"{VERSION}. Import it with the version that wrote it, or a later one."
        )
    wrong = next((key for key, is_sound in _FACTS.items() if not is_sound(head.get(key))), None)
    if wrong is not None:
        raise _foreign(file, f'what it tells of its index is damaged ("{wrong}")')
    facts = {key: head[key] for key in _FACTS if key in head and key != "id"}
    usual = None
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError, OverflowError):
        usual = usual_scores_of(head["usual"])  # of a damaged one, nothing is lost
    info = IndexInfo(collection="", kind="index", weights=None, count=0, usual=usual, **facts)
    return info, head["id"]


def _is_text(most: int) -> Any:
    return lambda value: isinstance(value, str) and len(value) <= most and bool(value.strip())


def _are_columns(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(kind, str) and kind in _ARROW for kind in value.values()
    )


_FACTS: Mapping[str, Any] = {
    "id": lambda value: isinstance(value, str) and bool(re.fullmatch(r"[0-9a-f]{32}", value)),
    "name": _is_text(MAX_NAME),
    "encoder": _is_text(_FACT),
    "fingerprint": _is_text(_FACT),
    "precision": _is_text(_FACT),
    "dim": lambda value: type(value) is int and 2 <= value <= MAX_DIM,
    "source": lambda value: value is None or isinstance(value, str),
    "columns": _are_columns,
    "state": lambda value: value in get_args(IndexState),
    "index_type": _is_text(_FACT),
    "created": lambda value: isinstance(value, str),
    "updated": lambda value: isinstance(value, str),
    "title_column": lambda value: isinstance(value, str | None),  # earlier versions wrote none
}
"""What a head must tell, and whether a value of it is sound."""


def _foreign(file: Path, why: str) -> UsageError:
    return UsageError(
        f"{file} is not an exported index: {why}. Name a file that an export wrote, whole."
    )

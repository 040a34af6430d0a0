"""One pass over a folder of images that brings an index up to date."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from cir.cores import usable_cores
from cir.encoders.base import Encoder
from cir.errors import ImageError
from cir.images import Picture, content_hash, decode, read_bytes, thumbnail
from cir.metadata import MetadataTable
from cir.progress import ProgressTeller
from cir.store import ImageRecord, Index, Metadata, Row, image_id
from cir.streams import ahead, batched
from cir.walk import FoundFile, walk_images

PLAN_FILES = 512  # compared with the index in one request
BATCH_IMAGES = 32  # encoded in one call
UPSERT_ROWS = 256
LOOK_AHEAD = 64  # decoded pictures that may wait for the encoder


@dataclass(frozen=True)
class FailedImage:
    """An image file that could not be read: its path in the folder, and why."""

    path: str
    reason: str


@dataclass
class IngestReport:
    """What an ingest did.

    Attributes:
        index, encoder: their names.
        added, updated, unchanged, removed: images. A changed metadata row counts as updated.
        failed: image files that could not be read; what an index held of them stays.
        matched, unmatched: images with and without a metadata row.
        unmatched_rows: metadata rows without an image.
        seconds: from start to end.
    """

    index: str
    encoder: str
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: list[FailedImage] = field(default_factory=list)
    matched: int = 0
    unmatched: int = 0
    unmatched_rows: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class _Task:
    """A file to read: what the index holds of it, and its metadata of now."""

    found: FoundFile
    known: ImageRecord | None
    metadata: Metadata


@dataclass(frozen=True)
class _Loaded:
    """A file that was read; `picture` None where the index holds the embedding of its content."""

    record: ImageRecord
    known: ImageRecord | None
    picture: Picture | None
    jpeg: bytes | None


class FolderUpdate:
    """One pass over the folder."""

    def __init__(
        self,
        index: Index,
        encoder: Encoder,
        folder: Path,
        table: MetadataTable | None,
        report: IngestReport,
        tell: ProgressTeller,
    ) -> None:
        self.index = index
        self.encoder = encoder
        self.folder = folder
        self.table = table
        self.report = report
        self.tell = tell
        self.rows: list[Row] = []

    def bring_in(self) -> None:
        """Add what is new, update what changed, leave the rest."""
        with ThreadPoolExecutor(usable_cores(), thread_name_prefix="decode") as pool:
            loaded = ahead(pool, self._load, self._tasks(), LOOK_AHEAD)
            for batch in batched(loaded, BATCH_IMAGES):
                self._take(batch)
        self._write()

    def remove_gone(self) -> None:
        """Remove the images whose file is no longer there."""
        gone = (r.id for r in self.index.iterate() if not (self.folder / r.path).is_file())
        for ids in batched(gone, PLAN_FILES):
            self.index.delete(ids)
            self.report.removed += len(ids)

    def _tasks(self) -> Iterator[_Task]:
        """The files to read; what needs no reading is dealt with on the way."""
        for files in batched(walk_images(self.folder, self._fail), PLAN_FILES):
            known = {each.id: each for each in self.index.get([image_id(f.path) for f in files])}
            retagged = []
            for found in files:
                held = known.get(image_id(found.path))
                metadata = self._metadata(found.path, held)
                if held is None or (held.size, held.modified) != (found.size, found.modified):
                    yield _Task(found, held, metadata)
                elif dict(held.metadata) != dict(metadata):
                    retagged.append(replace(held, metadata=metadata))
                else:
                    self.report.unchanged += 1
                    self.tell.count(1)
            self._rewrite(retagged)
            self.report.updated += len(retagged)
            self.tell.count(len(retagged))

    def _metadata(self, path: str, held: ImageRecord | None) -> Metadata:
        """The table's values; without a table those that the index holds."""
        if self.table is None:
            return held.metadata if held is not None else {}
        values = self.table.lookup(path)
        if values is None:
            self.report.unmatched += 1
            return {}
        self.report.matched += 1
        return values

    def _load(self, task: _Task) -> _Loaded | FailedImage:
        """Read and decode one file; runs in a thread."""
        found, known = task.found, task.known
        try:
            data = read_bytes(self.folder / found.path)
            content = content_hash(data)
            record = ImageRecord(
                id=image_id(found.path),
                path=found.path,
                content_hash=content,
                size=found.size,
                modified=found.modified,
                width=known.width if known else 0,
                height=known.height if known else 0,
                metadata=task.metadata,
            )
            if known is not None and known.content_hash == content:
                return _Loaded(record, known, None, None)
            picture = decode(data)
        except ImageError as error:
            return FailedImage(found.path, str(error))
        record = replace(record, width=picture.width, height=picture.height)
        return _Loaded(record, known, picture, thumbnail(picture.image))

    def _take(self, batch: Sequence[_Loaded | FailedImage]) -> None:
        """Count, encode and collect a batch; write when enough has come together."""
        fresh: list[_Loaded] = []
        touched: list[ImageRecord] = []
        for item in batch:
            if isinstance(item, FailedImage):
                self._fail(item.path, item.reason)
            elif item.picture is not None:
                fresh.append(item)
            elif item.known is not None:
                same = dict(item.known.metadata) == dict(item.record.metadata)
                self.report.unchanged += same
                self.report.updated += not same
                touched.append(item.record)
        self._rewrite(touched)
        self._encode(fresh)
        self.tell.count(len(batch), encoded=len(fresh))

    def _encode(self, fresh: Sequence[_Loaded]) -> None:
        pictures = [item.picture.image for item in fresh if item.picture is not None]
        for item, vector in zip(fresh, self.encoder.encode_images(pictures), strict=True):
            self.rows.append(Row(item.record, vector, item.jpeg))
            self.report.added += item.known is None
            self.report.updated += item.known is not None
        if len(self.rows) >= UPSERT_ROWS:
            self._write()

    def _rewrite(self, records: Sequence[ImageRecord]) -> None:
        """Write changed facts of images beside the embeddings that are there."""
        held = {row.record.id: row for row in self.index.rows([each.id for each in records])}
        self.index.upsert([replace(held[each.id], record=each) for each in records])

    def _write(self) -> None:
        self.index.upsert(self.rows)
        self.rows = []

    def _fail(self, path: str, reason: str) -> None:
        self.report.failed.append(FailedImage(path, reason))

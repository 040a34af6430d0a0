"""A folder of images into an index: plan, decode ahead, encode, upsert; resumes by itself.

Every step leaves the index in a state from which the same call goes on: rows are written in chunks,
a row that is there with the same path, size and modified time is not made again, and the index
counts as ready only when the walk has come to its end. An image is told of as done when its row is
written, so that what a person last read of an ingest that was cut short is what the index holds.
"""

import stat
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from cir.encoders.protocol import (
    Encoder,
    batch_of,
    encode_and_look,
    files_of,
    require_same_encoder,
)
from cir.errors import ImageError, StoreError, UnknownIndexError, UsageError
from cir.images import (
    LINK_OUT,
    SUFFIXES,
    Picture,
    content_hash,
    decode,
    leads_out,
    read_bytes,
    thumbnail,
)
from cir.indexing.metadata import MetadataTable, find_table, read_table
from cir.indexing.walk import FoundFile, Walk
from cir.parallel import ahead, batched, usable_cores
from cir.progress import OnProgress, ProgressTeller
from cir.search.usual import is_learnt, learn_usual_scores
from cir.store import (
    ColumnType,
    ImageRecord,
    IndexInfo,
    IndexKind,
    Metadata,
    MilvusIndex,
    MilvusStore,
    Row,
    image_id,
    patient,
)
from cir.store.exactness import EXACT_IMAGES, index_type_for
from cir.store.wire import check_rows

PLAN_FILES = 512  # compared with the index in one request
UPSERT_ROWS = 256
WRITE_SECONDS = 2.0
"""Rows are written when so many have come together, or so long after the last writing."""
READ_TRIES = 3
JOB_PATIENCE_SECONDS = 90.0
"""How long an ingest waits for a server that goes away; one that starts anew needs some 30."""


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
        looked_at: of the images added to a new index, those that the encoder could tell about.
        strange: of these, those that are nothing the encoder knows.
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
    looked_at: int = 0
    strange: int = 0
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
        index: MilvusIndex,
        encoder: Encoder,
        folder: Path,
        walk: Walk,
        table: MetadataTable | None,
        report: IngestReport,
        tell: ProgressTeller,
        on_failure: Callable[[FailedImage], None] | None = None,
        roots: Sequence[Path] = (),
    ) -> None:
        self.index = index
        self.encoder = encoder
        self.folder = folder
        self.walk = walk
        self.table = table
        self.report = report
        self.tell = tell
        self.on_failure = on_failure
        self.roots = roots
        self.is_new = not index.count()
        self.rows: list[Row] = []
        self.last_write = time.monotonic()

    def bring_in(self) -> None:
        """Add what is new, update what changed, leave the rest.

        What is encoded is written also when this is stopped, by the listener or by Ctrl-C, and when
        something fails: then that error is raised, whatever becomes of the writing.
        """
        try:
            self._bring_in()
        except BaseException:
            # A server that is away has been waited for; a second Ctrl-C ends this, too.
            with suppress(Exception), patient(0):
                self._write()
            raise
        self._write()

    def _bring_in(self) -> None:
        cores = usable_cores()
        size = batch_of(self.encoder)
        waiting = max(cores, size)  # the next batch is read as one is encoded
        with (
            ThreadPoolExecutor(cores, thread_name_prefix="decode") as pool,
            closing(ahead(pool, self._load, self._tasks(), waiting)) as loaded,
        ):
            for batch in batched(loaded, size):
                self._take(batch)

    def remove_gone(self) -> None:
        """Remove the images whose file is no longer there."""
        gone = (r.id for r in self.index.iterate() if _is_gone(self.folder / r.path))
        for ids in batched(gone, PLAN_FILES):
            self.index.delete(ids)
            self.report.removed += len(ids)

    def _tasks(self) -> Iterator[_Task]:
        """The files to read; what needs no reading is dealt with on the way."""
        for files in batched(self.walk.take(self._fail), PLAN_FILES):
            known = {each.id: each for each in self.index.get([image_id(f.path) for f in files])}
            retagged: list[ImageRecord] = []
            unchanged = 0
            for found in files:
                held = known.get(image_id(found.path))
                metadata = self._metadata(found.path, held)
                if held is None or (held.size, held.modified) != (found.size, found.modified):
                    yield _Task(found, held, metadata)
                elif _same(held.metadata, metadata):
                    unchanged += 1
                else:
                    retagged.append(replace(held, metadata=metadata))
            self.report.unchanged += unchanged
            self.report.updated += self._rewrite(retagged)
            self.tell.count(unchanged + len(retagged))

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
            data, found = self._read(found)
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

    def _read(self, found: FoundFile) -> tuple[bytes, FoundFile]:
        """The file's content, and the file as it was when it had that content.

        Raises:
            ImageError: it cannot be read, or somebody is writing it.
        """
        path = self.folder / found.path
        for _ in range(READ_TRIES):
            data = read_bytes(path, self.roots)
            before, found = found, _stat(path, found)
            if found == before:
                return data, found
        raise ImageError("the file changes while it is read; the next update reads it again")

    def _take(self, batch: Sequence[_Loaded | FailedImage]) -> None:
        """Count, encode and collect a batch; write when enough has come together."""
        fresh: list[_Loaded] = []
        touched: list[ImageRecord] = []
        retagged: list[ImageRecord] = []
        for item in batch:
            if isinstance(item, FailedImage):
                self._fail(item.path, item.reason)
            elif item.picture is not None:
                fresh.append(item)
            elif item.known is not None:
                same = _same(item.known.metadata, item.record.metadata)
                (touched if same else retagged).append(item.record)
        self.report.unchanged += self._rewrite(touched)
        self.report.updated += self._rewrite(retagged)
        before = len(self.rows)
        self._encode(fresh)
        self.tell.count(len(batch) - (len(self.rows) - before))
        waited = time.monotonic() - self.last_write
        if len(self.rows) >= UPSERT_ROWS or waited >= WRITE_SECONDS:
            self._write()

    def _encode(self, fresh: Sequence[_Loaded]) -> None:
        pictures = [item.picture.image for item in fresh if item.picture is not None]
        vectors, strange = encode_and_look(self.encoder, pictures)
        if self.is_new and strange is not None:
            self.report.looked_at += len(strange)
            self.report.strange += int(strange.sum())
        for item, vector in zip(fresh, vectors, strict=True):
            row = Row(item.record, vector, item.jpeg)
            if self._storable(row):
                self.rows.append(row)
                self.report.added += item.known is None
                self.report.updated += item.known is not None

    def _rewrite(self, records: Sequence[ImageRecord]) -> int:
        """Write changed facts of images beside the embeddings that are there; how many."""
        now = {each.id: each for each in records}
        held = (replace(row, record=now[row.record.id]) for row in self.index.rows(list(now)))
        rows = [row for row in held if self._storable(row)]
        self.index.upsert(rows)
        return len(rows)

    def _storable(self, row: Row) -> bool:
        """Whether Milvus can hold the row; one that it cannot fails, and the rest goes on."""
        try:
            check_rows([row], self.index.info.dim, self.index.info.columns)
        except StoreError as error:
            self._fail(row.record.path, str(error))
            return False
        return True

    def _write(self) -> None:
        """Write what is encoded, and tell of it as done."""
        self.index.upsert(self.rows)
        rows, self.rows = self.rows, []
        self.last_write = time.monotonic()
        self.tell.count(len(rows))

    def _fail(self, path: str, reason: str) -> None:
        failed = FailedImage(path, reason)
        self.report.failed.append(failed)
        if self.on_failure is not None:
            self.on_failure(failed)
        self.tell.count(0, failed=1)


def _same(held: Metadata, now: Metadata) -> bool:
    """Whether values and their kinds agree; to Python alone, true would equal 1."""

    def kinds(metadata: Metadata) -> dict[str, tuple[bool, Any]]:
        return {column: (isinstance(value, bool), value) for column, value in metadata.items()}

    return kinds(held) == kinds(now)


def _stat(path: Path, found: FoundFile) -> FoundFile:
    """The file as it is now."""
    try:
        now = path.stat()
    except OSError as error:
        raise ImageError(f"the file cannot be read ({error.strerror or error})") from error
    return replace(found, size=now.st_size, modified=now.st_mtime_ns)


def _is_gone(path: Path) -> bool:
    """Whether no file has this name; one that merely cannot be looked at is not gone."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False


def ingest(
    store: MilvusStore,
    folder: Path,
    name: str,
    encoder: Encoder,
    *,
    metadata: Path | None = None,
    prune: bool = False,
    kind: IndexKind = "index",
    exact: bool = False,
    only: Collection[str] | None = None,
    roots: Sequence[Path] = (),
    on_progress: OnProgress | None = None,
    on_failure: Callable[[FailedImage], None] | None = None,
) -> IngestReport:
    """Bring the index `name` up to date with the images below the folder; create it if need be.

    Args:
        metadata: a table of values for the images; by default `metadata.csv` in the folder.
        prune: remove images whose file is gone.
        exact: create the index for exact search (FLAT), which others get by backend and size.
        only: relative paths of the images to take; None takes all. What the index holds beside
            them stays, also when pruning.
        roots: folders out of which no link may lead, see `cir.access.link_roots`; empty for no
            limit.
        on_progress: called after each chunk, in this thread. What it raises ends the ingest, which
            the same call later continues.
        on_failure: called for each image file that cannot be read, in this thread.

    Raises:
        UsageError: the folder is missing or holds no image, the metadata cannot be joined, or the
            index was built from another folder. Nothing has been changed then.
        EncoderMismatchError: another encoder made the index.
        StoreError: Milvus failed, or was away for longer than `JOB_PATIENCE_SECONDS`; the same call
            later continues.
    """
    started = time.monotonic()
    folder = _checked_folder(folder)
    report = IngestReport(name, encoder.spec.name)
    teller = ProgressTeller(None, on_progress)
    waiting = patient(JOB_PATIENCE_SECONDS, teller.wait)
    with waiting, closing(Walk(folder, teller, only, roots)) as walk:
        _require_images(folder, walk)
        path = find_table(folder, metadata)
        if path is not None and metadata is None and leads_out(path, roots):
            raise UsageError(f"{path} {LINK_OUT}. Put a copy there, or remove it.")
        table = None if path is None else read_table(path, (each.path for each in walk.look()))
        columns = table.columns if table is not None else {}
        index = _open_or_create(store, folder, name, encoder, columns, walk, kind=kind, exact=exact)
        weights, tokenizer = files_of(encoder)
        # The columns there were stay: images that are gone from the folder may still have values.
        index.update(
            state="building",
            source=str(folder),
            columns={**index.info.columns, **columns},
            weights=weights or index.info.weights,
            tokenizer=tokenizer or index.info.tokenizer,
        )
        run = FolderUpdate(index, encoder, folder, walk, table, report, teller, on_failure, roots)
        run.bring_in()
        if prune:
            run.remove_gone()
        if table is not None:
            report.unmatched_rows = table.unmatched_rows
        index.update(state="ready", count=index.count())
        index.settle()
        if kind == "index" and _is_other(index.info, report):
            learn_usual_scores(index, encoder)
    report.seconds = time.monotonic() - started
    return report


def _is_other(info: IndexInfo, report: IngestReport) -> bool:
    """Whether queries may score otherwise than when they were last sampled."""
    changed = report.added + report.updated + report.removed
    return not is_learnt(info, info.count) or 5 * changed > info.count


def _checked_folder(folder: Path) -> Path:
    if not folder.exists():
        raise UsageError(f"There is no folder {folder}.")
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file, not a folder of images.")
    return folder.resolve()


def _require_images(folder: Path, walk: Walk) -> None:
    if next(walk.look_wanted(), None) is None:
        raise UsageError(
            f"{folder} holds no images (looked for names ending in {', '.join(sorted(SUFFIXES))}, "
            "in subfolders too). Nothing was changed."
        )


def _is_small(walk: Walk) -> bool:
    """Whether the walk finds at most `EXACT_IMAGES`; the thread holds somewhat more."""
    return sum(1 for _ in islice(walk.look_wanted(), EXACT_IMAGES + 1)) <= EXACT_IMAGES


def _open_or_create(
    store: MilvusStore,
    folder: Path,
    name: str,
    encoder: Encoder,
    columns: Mapping[str, ColumnType],
    walk: Walk,
    *,
    kind: IndexKind,
    exact: bool,
) -> MilvusIndex:
    try:
        index = store.open(name, kind, strong=True)
    except UnknownIndexError:
        return store.create(
            name,
            kind=kind,
            encoder=encoder.spec.name,
            fingerprint=encoder.fingerprint,
            precision=encoder.precision,
            weights=files_of(encoder)[0],
            tokenizer=files_of(encoder)[1],
            dim=encoder.spec.dim,
            source=str(folder),
            columns=columns,
            exact=exact or index_type_for(store.backend, lambda: _is_small(walk)) == "FLAT",
        )
    info = index.info
    require_same_encoder(encoder, info)
    if info.source and Path(info.source) != folder and Path(info.source).exists():
        raise UsageError(
            f"The index {name!r} holds the images of {info.source}. Index {folder} under another "
            f"name, or drop {name!r} first."
        )
    return index

"""An index with the embeddings of another encoder: its images are encoded anew.

The index answers as before until the new embeddings are whole; they take its place at once then.
A call that was cut short is continued by the same call.
"""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

from PIL.Image import Image

from cir.encoders.protocol import Encoder, batch_of, files_of
from cir.errors import ImageError, UsageError
from cir.images import decode
from cir.indexing.folder import (
    JOB_PATIENCE_SECONDS,
    PLAN_FILES,
    UPSERT_ROWS,
    WRITE_SECONDS,
    FailedImage,
)
from cir.parallel import ahead, batched, usable_cores
from cir.progress import OnProgress, ProgressTeller
from cir.search.references import original
from cir.search.usual import sample_usual_scores
from cir.settings import Settings
from cir.store import ImageRecord, MilvusIndex, Row, patient


@dataclass
class ReencodeReport:
    """What encoding an index anew did.

    Attributes:
        index, encoder: their names.
        images: how many the index holds now.
        encoded: how many of them this call encoded; a call before that was cut short, the others.
        from_thumbnails: paths of those that it read from their thumbnails, because their files are
            gone, changed or out of reach.
        failed: images that had neither file nor thumbnail; they are no longer in the index.
        seconds: from start to end.
    """

    index: str
    encoder: str
    images: int = 0
    encoded: int = 0
    from_thumbnails: list[str] = field(default_factory=list)
    failed: list[FailedImage] = field(default_factory=list)
    seconds: float = 0.0


def reencode(
    index: MilvusIndex,
    encoder: Encoder,
    settings: Settings,
    *,
    local: bool,
    on_progress: OnProgress | None = None,
    on_failure: Callable[[FailedImage], None] | None = None,
) -> ReencodeReport:
    """Encode all images of an index anew, by another encoder or by other weights of its own.

    Images are read from the folder that the index was made from, where they are still as they were
    indexed, else from their thumbnails. Paths, metadata, the column of titles, the kind of Milvus
    index and thumbnails stay; what is added to the index, changed or removed meanwhile is so in the
    new one, too.

    Args:
        index: which is that of the new encoder afterwards.
        settings: say which files may be read.
        local: whether the person who asks has this machine to themselves, see
            `cir.access.is_readable`.
        on_progress: called after each group of images, in this thread. What it raises ends the
            call, which the same call later continues.
        on_failure: called for each image that cannot be read, in this thread.

    Raises:
        UsageError: none of the images can be read, or this process is encoding the index anew
            already.
        UnknownIndexError: the index was dropped meanwhile.
        StoreError: Milvus failed, or another process updates the index at the end. It stays as it
            was, and the same call later continues.
    """
    started = time.monotonic()
    report = ReencodeReport(index.info.name, encoder.spec.name)
    teller = ProgressTeller(index.count(), on_progress)
    weights, tokenizer = files_of(encoder)
    made_by = {
        "encoder": encoder.spec.name,
        "fingerprint": encoder.fingerprint,
        "precision": encoder.precision,
        "weights": weights,
        "tokenizer": tokenizer,
        "dim": encoder.spec.dim,
    }

    def usual(copy: MilvusIndex) -> Mapping[str, Any]:
        return {"usual": sample_usual_scores(copy, encoder)} if copy.info.kind == "index" else {}

    with (
        patient(JOB_PATIENCE_SECONDS, teller.wait),
        ThreadPoolExecutor(usable_cores(), thread_name_prefix="decode") as pool,
    ):
        run = _Reencoding(encoder, settings, local, report, teller, on_failure, pool)
        index.remake(made_by, run.bring_level, usual)
    report.images = index.info.count
    report.seconds = time.monotonic() - started
    return report


@dataclass(frozen=True)
class _Loaded:
    """An image of the index: its picture, or why there is none."""

    record: ImageRecord
    jpeg: bytes | None
    picture: Image | str
    is_thumbnail: bool = False


class _Reencoding:
    """One call of `reencode`."""

    def __init__(
        self,
        encoder: Encoder,
        settings: Settings,
        local: bool,
        report: ReencodeReport,
        teller: ProgressTeller,
        on_failure: Callable[[FailedImage], None] | None,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.encoder = encoder
        self.settings = settings
        self.local = local
        self.report = report
        self.teller = teller
        self.on_failure = on_failure
        self.pool = pool
        self.failed: dict[str, ImageRecord] = {}
        self.rows: list[Row] = []
        self.last_write = time.monotonic()
        self.is_first = True

    def bring_level(self, now: MilvusIndex, copy: MilvusIndex) -> Generator[None, None, bool]:
        """Encode what the copy lacks, remove from it what the index no longer has.

        Yields after each writing; what is encoded is written also when this is stopped.

        Returns:
            Whether there was anything to do.
        """
        before = self.report.encoded
        size = batch_of(self.encoder)
        waiting = max(usable_cores(), size)

        def load(task: tuple[ImageRecord, bytes | None]) -> _Loaded:
            return self._load(now, *task)

        try:
            with closing(ahead(self.pool, load, self._tasks(now, copy), waiting)) as loaded:
                for batch in batched(loaded, size):
                    self._encode(batch)
                    waited = time.monotonic() - self.last_write
                    if len(self.rows) >= UPSERT_ROWS or waited >= WRITE_SECONDS:
                        self._write(copy)
                        yield
        except BaseException:
            with suppress(Exception), patient(0):
                self._write(copy)
            raise
        self._write(copy)
        self.is_first = False
        removed = self._remove_gone(now, copy)
        if self.failed and not copy.count():
            raise UsageError(
                f'None of the images of "{self.report.index}" can be read: their files are not at '
                "hand, and no thumbnails are kept. The index stays as it was."
            )
        return removed or self.report.encoded > before

    def _tasks(
        self, now: MilvusIndex, copy: MilvusIndex
    ) -> Iterator[tuple[ImageRecord, bytes | None]]:
        """The images that the copy lacks, or has as they were before, with their thumbnails."""
        for records in batched(now.iterate(), PLAN_FILES):
            there = {each.id: each for each in copy.get([each.id for each in records])}
            wanted = [
                each
                for each in records
                if each not in (there.get(each.id), self.failed.get(each.id))
            ]
            if self.is_first:
                self.teller.count(len(records) - len(wanted))
            jpegs = now.thumbnails([each.id for each in wanted]) if wanted else {}
            yield from ((each, jpegs.get(each.id)) for each in wanted)

    def _load(self, now: MilvusIndex, record: ImageRecord, jpeg: bytes | None) -> _Loaded:
        """Read and decode one image; runs in a thread."""
        found = original(now, record, self.settings, local=self.local)
        if found is not None:
            return _Loaded(record, jpeg, found[1])
        if jpeg is None:
            return _Loaded(record, jpeg, "neither the file nor a thumbnail is there any more")
        try:
            return _Loaded(record, jpeg, decode(jpeg).image, is_thumbnail=True)
        except ImageError as error:
            return _Loaded(record, jpeg, f"its thumbnail cannot be read: {error}")

    def _encode(self, batch: Sequence[_Loaded]) -> None:
        read: list[_Loaded] = []
        pictures: list[Image] = []
        for each in batch:
            if isinstance(each.picture, str):
                self._fail(each.record, each.picture)
            else:
                read.append(each)
                pictures.append(each.picture)
        vectors = self.encoder.encode_images(pictures) if pictures else ()
        for each, vector in zip(read, vectors, strict=True):
            if self.failed.pop(each.record.id, None):  # it was changed, and can be read now
                path = each.record.path
                self.report.failed = [one for one in self.report.failed if one.path != path]
            self.rows.append(Row(each.record, vector, each.jpeg))
            if each.is_thumbnail:
                self.report.from_thumbnails.append(each.record.path)

    def _write(self, copy: MilvusIndex) -> None:
        """Write what is encoded, and tell of it as done."""
        copy.upsert(self.rows, replace_thumbnails=False)
        rows, self.rows = self.rows, []
        self.last_write = time.monotonic()
        self.report.encoded += len(rows)
        self.teller.count(len(rows))

    def _remove_gone(self, now: MilvusIndex, copy: MilvusIndex) -> bool:
        """Remove from the copy what the index no longer has, or has in a form that cannot be read.

        Returns:
            Whether there was any.
        """
        removed = False
        for records in batched(copy.iterate(), PLAN_FILES):
            ids = [each.id for each in records]
            kept = {each.id for each in now.get(ids)} - self.failed.keys()
            gone = [each for each in ids if each not in kept]
            copy.delete(gone)
            removed = removed or bool(gone)
        return removed

    def _fail(self, record: ImageRecord, reason: str) -> None:
        failed = FailedImage(record.path, reason)
        self.failed[record.id] = record
        self.report.failed.append(failed)
        if self.on_failure is not None:
            self.on_failure(failed)
        self.teller.count(1, failed=1)

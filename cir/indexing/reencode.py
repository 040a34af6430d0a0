"""An index with the embeddings of another encoder: its images are encoded anew.

The index answers as before until the new embeddings are whole; they take their place at once then.
A call that was cut short is continued by the same call.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from PIL.Image import Image

from cir.encoders.protocol import Encoder, batch_of, files_of
from cir.errors import ImageError
from cir.images import decode
from cir.indexing.folder import JOB_PATIENCE_SECONDS, UPSERT_ROWS, FailedImage
from cir.parallel import ahead, batched, usable_cores
from cir.progress import OnProgress, ProgressTeller
from cir.search.references import original
from cir.search.usual import learn_usual_scores
from cir.settings import Settings
from cir.store import ImageRecord, MilvusIndex, Row, patient


@dataclass
class ReencodeReport:
    """What encoding an index anew did.

    Attributes:
        index, encoder: their names.
        images: how many the index holds now.
        from_thumbnails: how many of those that this call encoded were read from their thumbnails,
            because their files are gone, changed or out of reach.
        failed: images that had neither file nor thumbnail; they are no longer in the index.
        seconds: from start to end.
    """

    index: str
    encoder: str
    images: int = 0
    from_thumbnails: int = 0
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
    """Encode all images of an index anew, by another encoder or another version of its own.

    Images are read from the folder that the index was made from, where they are still as they were
    indexed, else from their thumbnails. Paths, metadata and thumbnails stay as they are.

    Args:
        index: which is then that of the new encoder.
        settings: say which files may be read.
        local: whether the person who asks has this machine to themselves.
        on_progress: called after each group of images, in this thread. What it raises ends the
            call, which the same call later continues.
        on_failure: called for each image that cannot be read, in this thread.

    Raises:
        UsageError: this process is encoding the index anew already.
        StoreError: Milvus failed, or the index was changed meanwhile. It stays as it was.
    """
    started = time.monotonic()
    info = index.info
    report = ReencodeReport(info.name, encoder.spec.name)
    teller = ProgressTeller(index.count(), on_progress)
    weights, tokenizer = files_of(encoder)
    made_by: Mapping[str, Any] = {
        "encoder": encoder.spec.name,
        "fingerprint": encoder.fingerprint,
        "precision": encoder.precision,
        "weights": weights,
        "tokenizer": tokenizer,
        "dim": encoder.spec.dim,
    }

    def fail(record: ImageRecord, reason: str) -> None:
        failed = FailedImage(record.path, reason)
        report.failed.append(failed)
        if on_failure is not None:
            on_failure(failed)
        teller.count(0, failed=1)

    def rows_of(records: Sequence[ImageRecord]) -> list[Row]:
        jpegs = index.thumbnails([each.id for each in records])
        load = partial(_load, index, settings, local, jpegs)
        rows = []
        for batch in batched(ahead(pool, load, iter(records), waiting), size):
            read: list[tuple[ImageRecord, Image]] = []
            for record, image, is_thumbnail in batch:
                if isinstance(image, str):
                    fail(record, image)
                else:
                    read.append((record, image))
                    report.from_thumbnails += is_thumbnail
            vectors = encoder.encode_images([image for _, image in read]) if read else ()
            for (record, _), vector in zip(read, vectors, strict=True):
                rows.append(Row(record, vector, jpegs.get(record.id)))
        teller.count(len(rows))
        return rows

    size = batch_of(encoder)
    waiting = max(usable_cores(), size)
    with (
        patient(JOB_PATIENCE_SECONDS, teller.wait),
        ThreadPoolExecutor(usable_cores(), thread_name_prefix="decode") as pool,
    ):
        index.remake(made_by, rows_of, group=UPSERT_ROWS)
        learn_usual_scores(index, encoder)
    report.images = index.info.count
    report.seconds = time.monotonic() - started
    return report


def _load(
    index: MilvusIndex,
    settings: Settings,
    local: bool,
    jpegs: Mapping[str, bytes],
    record: ImageRecord,
) -> tuple[ImageRecord, Image | str, bool]:
    """The picture of an image, or why there is none, and whether it is its thumbnail."""
    found = original(index, record, settings, local=local)
    if found is not None:
        return record, found[1], False
    jpeg = jpegs.get(record.id)
    if jpeg is None:
        return record, "neither the file nor a thumbnail is there any more", False
    try:
        return record, decode(jpeg).image, True
    except ImageError as error:
        return record, f"its thumbnail cannot be read: {error}", False

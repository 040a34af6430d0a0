"""A folder of images into an index: plan, decode ahead, encode, upsert; resumes by itself.

Every step leaves the index in a state from which the same call goes on: rows are written in chunks,
a row that is there with the same path, size and modified time is not made again, and the index
counts as ready only when the walk has come to its end.
"""

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from cir.encoders.protocol import Encoder, require_same_encoder
from cir.errors import UnknownIndexError, UsageError
from cir.images import SUFFIXES
from cir.indexing.folder_update import FailedImage, FolderUpdate, IngestReport
from cir.indexing.metadata import MetadataTable, find_table, read_table
from cir.indexing.walk import walk_images
from cir.progress import Progress, ProgressTeller
from cir.store import ColumnType, Index, IndexKind, Store

# Up to here a server compares with every image quickly enough, while its AUTOINDEX, as measured
# (Milvus 2.3.5, 17,000 random vectors), found half of the ten nearest and lost hits under a filter.
# Zilliz Cloud offers AUTOINDEX alone.
EXACT_IMAGES = 100_000


def ingest(
    store: Store,
    folder: Path,
    name: str,
    encoder: Encoder,
    *,
    metadata: Path | None = None,
    prune: bool = False,
    kind: IndexKind = "index",
    exact: bool = False,
    only: Collection[str] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_failure: Callable[[FailedImage], None] | None = None,
) -> IngestReport:
    """Bring the index `name` up to date with the images below the folder; create it if need be.

    Args:
        metadata: a table of values for the images; by default `metadata.csv` in the folder.
        prune: remove images whose file is gone.
        exact: create the index for exact search (FLAT). An index of at most `EXACT_IMAGES` on a
            Milvus server is exact in any case.
        only: relative paths of the images to take; None takes all. What the index holds beside
            them stays, also when pruning.
        on_progress: called after each chunk, in this thread. What it raises ends the ingest, which
            the same call later continues.
        on_failure: called for each image file that cannot be read, in this thread.

    Raises:
        UsageError: the folder is missing or holds no image, the metadata cannot be joined, or the
            index was built from another folder. Nothing has been changed then.
        EncoderMismatchError: another encoder made the index.
        StoreError: Milvus failed; the same call later continues.
    """
    started = time.monotonic()
    folder = _checked_folder(folder)
    total = _count_images(folder, only)
    table = _open_table(folder, metadata)
    columns = table.columns if table is not None else {}
    index = _open_or_create(store, folder, name, encoder, columns, total, kind=kind, exact=exact)
    # The columns there were stay: images that are gone from the folder may still have values.
    index.update(
        state="building",
        source=str(folder),
        columns={**index.info.columns, **columns},
        weights=encoder.weights or index.info.weights,
        tokenizer=encoder.tokenizer or index.info.tokenizer,
    )
    report = IngestReport(name, encoder.spec.name)
    teller = ProgressTeller(total, on_progress)
    run = FolderUpdate(index, encoder, folder, table, report, teller, on_failure, only)
    run.bring_in()
    if prune:
        run.remove_gone()
    if table is not None:
        report.unmatched_rows = table.unmatched_rows
    index.update(state="ready", count=index.count())
    report.seconds = time.monotonic() - started
    return report


def _checked_folder(folder: Path) -> Path:
    if not folder.exists():
        raise UsageError(f"There is no folder {folder}.")
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file, not a folder of images.")
    return folder.resolve()


def _count_images(folder: Path, only: Collection[str] | None) -> int:
    total = sum(1 for found in walk_images(folder) if only is None or found.path in only)
    if not total:
        raise UsageError(
            f"{folder} holds no images (looked for names ending in {', '.join(sorted(SUFFIXES))}, "
            "in subfolders too). Nothing was changed."
        )
    return total


def _open_table(folder: Path, given: Path | None) -> MetadataTable | None:
    path = find_table(folder, given)
    if path is None:
        return None
    return read_table(path, (found.path for found in walk_images(folder)))


def _open_or_create(
    store: Store,
    folder: Path,
    name: str,
    encoder: Encoder,
    columns: Mapping[str, ColumnType],
    total: int,
    *,
    kind: IndexKind,
    exact: bool,
) -> Index:
    try:
        index = store.open(name, kind)
    except UnknownIndexError:
        return store.create(
            name,
            kind=kind,
            encoder=encoder.spec.name,
            fingerprint=encoder.fingerprint,
            precision=encoder.precision,
            weights=encoder.weights,
            tokenizer=encoder.tokenizer,
            dim=encoder.spec.dim,
            source=str(folder),
            columns=columns,
            exact=exact or (store.backend == "Milvus server" and total <= EXACT_IMAGES),
        )
    info = index.info
    require_same_encoder(encoder, info)
    if info.source and Path(info.source) != folder and Path(info.source).exists():
        raise UsageError(
            f"The index {name!r} holds the images of {info.source}. Index {folder} under another "
            f"name, or drop {name!r} first."
        )
    return index

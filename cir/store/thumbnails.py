"""Thumbnails: files beside a Lite file, a field of the rows on a server."""

import base64
import contextlib
import hashlib
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cir.errors import StoreError
from cir.store import filters
from cir.store.collection import ImageCollection, parts
from cir.store.records import Row
from cir.store.schema import MAX_VARCHAR

_READ_ROWS = 200
"""Rows with thumbnails in one answer: some 3 MB."""

Fields = dict[str, Any]


class Thumbnails(ABC):
    """Where the thumbnails of an index are kept."""

    @abstractmethod
    def stored(
        self, images: ImageCollection, rows: Sequence[Row], *, replace: bool = True
    ) -> contextlib.AbstractContextManager[Iterator[tuple[Row, Fields]]]:
        """Each row with the fields that its thumbnail adds; write the rows inside.

        `replace`: whether a thumbnail takes the place of one that other indexes have in common.
        """

    @abstractmethod
    def released(
        self, images: ImageCollection, ids: Collection[str] | None
    ) -> contextlib.AbstractContextManager[None]:
        """Delete the images `ids`, or all of them for None, inside; unused thumbnails go after."""

    @abstractmethod
    def read(self, images: ImageCollection, ids: Sequence[str]) -> dict[str, bytes]:
        """JPEG files of the ids that have a thumbnail."""


class FieldThumbnails(Thumbnails):
    """A VARCHAR field in base64; a thumbnail above 48 KB does not fit one and is left out."""

    @contextlib.contextmanager
    def stored(
        self, images: ImageCollection, rows: Sequence[Row], *, replace: bool = True
    ) -> Iterator[Iterator[tuple[Row, Fields]]]:
        """Each row with its `thumbnail` field, read back by content where the row brings none."""
        missing = {row.record.content_hash for row in rows if row.thumbnail is None}
        known: dict[str, str] = {}
        for part in parts(sorted(images.used_content(missing)), _READ_ROWS):
            known |= _by_content(images, part)
        yield (
            (row, {"thumbnail": known.get(row.record.content_hash, "")})
            if row.thumbnail is None
            else (row, {"thumbnail": _to_field(row.thumbnail)})
            for row in rows
        )

    @contextlib.contextmanager
    def released(self, images: ImageCollection, ids: Collection[str] | None) -> Iterator[None]:
        """Nothing to do: the field goes with its row."""
        yield

    def read(self, images: ImageCollection, ids: Sequence[str]) -> dict[str, bytes]:
        """JPEG files of the ids that have a thumbnail."""
        rows = images.by_key(ids, ["id", "thumbnail"], _READ_ROWS, strong=False)
        return {row["id"]: base64.b64decode(row["thumbnail"]) for row in rows if row["thumbnail"]}


class FileThumbnails(Thumbnails):
    """JPEG files named by content hash, `<2 hex>/<hash>.jpg`, shared by a Lite file's indexes."""

    def __init__(self, folder: Path, collections: Callable[[], list[ImageCollection]]) -> None:
        """`collections` gives the images of every index that may use the folder."""
        self._folder = folder
        self._collections = collections
        # Thumbnails stand without a row for a moment; nobody may take them for unused then.
        self._lock = _lock_of(folder)

    @contextlib.contextmanager
    def stored(
        self, images: ImageCollection, rows: Sequence[Row], *, replace: bool = True
    ) -> Iterator[Iterator[tuple[Row, Fields]]]:
        """Write the files; afterwards remove those whose images changed."""
        new = {row.record.content_hash for row in rows}
        with self._lock:
            ids = [row.record.id for row in rows]
            replaced = _content(images, ids) - new
            for row in rows:
                held = not replace and self._path(row.record.content_hash).exists()
                if row.thumbnail is not None and not held:
                    self._write(row.record.content_hash, row.thumbnail)
            yield ((row, {}) for row in rows)
            self._remove_unused(replaced)

    @contextlib.contextmanager
    def released(self, images: ImageCollection, ids: Collection[str] | None) -> Iterator[None]:
        """Remove, after the deletion, the files that no index of the Lite file needs."""
        with self._lock:
            hashes = _content(images, ids)
            yield
            self._remove_unused(hashes)

    def read(self, images: ImageCollection, ids: Sequence[str]) -> dict[str, bytes]:
        """JPEG files of the ids that have a thumbnail."""
        found = {}
        for row in images.by_key(ids, ["id", "content_hash"], strong=False):
            with contextlib.suppress(OSError):
                found[row["id"]] = self._path(row["content_hash"]).read_bytes()
        return found

    def _remove_unused(self, hashes: set[str]) -> None:
        if not hashes:
            return
        for images in self._collections():
            hashes = hashes - images.used_content(hashes)
        for content_hash in hashes:
            self._path(content_hash).unlink(missing_ok=True)

    def _write(self, content_hash: str, jpeg: bytes) -> None:
        path = self._path(content_hash)
        # A reader sees the whole file or none. What a process that is killed leaves behind has this
        # name again when the image is.
        partial = path.with_suffix(".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                partial.write_bytes(jpeg)
                partial.replace(path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StoreError(
                f"The thumbnail {path} cannot be written ({error.strerror or error}). "
                "Make room, or set CIR_DATA_DIR to a folder that this user may write."
            ) from error

    def _path(self, content_hash: str) -> Path:
        return self._folder / content_hash[:2] / f"{content_hash}.jpg"


def thumbnail_folder(lite_path: Path, data_dir: Path) -> Path:
    """Where the thumbnails of a Lite file are: each file has its own folder under `data_dir`.

    One folder for several files would lose thumbnails when an index of one of them is dropped.
    """
    name = lite_path.stem
    if lite_path.parent != data_dir.resolve():
        name += "-" + hashlib.sha256(os.fsencode(lite_path)).hexdigest()[:8]
    return data_dir / "thumbnails" / name


def _by_content(images: ImageCollection, content_hashes: Sequence[str]) -> Fields:
    """The `thumbnail` field by content hash, where some row has one."""
    known: Fields = {}
    missing = list(content_hashes)
    while missing:
        expression = filters.conjunction(
            [filters.keys_in("content_hash", missing), filters.not_empty("thumbnail")]
        )
        fields = ["content_hash", "thumbnail"]
        rows = images.query(expression, fields, 2 * _READ_ROWS)
        known.update({row["content_hash"]: row["thumbnail"] for row in rows})
        # A full answer may hold many copies of one file and nothing of others: ask for those.
        full = len(rows) == 2 * _READ_ROWS
        missing = [one for one in missing if full and one not in known]
    return known


def _content(images: ImageCollection, ids: Collection[str] | None) -> set[str]:
    rows: Iterable[Fields]
    fields = ["id", "content_hash"]
    rows = images.iterate(fields) if ids is None else images.by_key(list(ids), fields)
    return {row["content_hash"] for row in rows}


def _to_field(jpeg: bytes) -> str:
    text = base64.b64encode(jpeg).decode("ascii")
    return text if len(text) <= MAX_VARCHAR else ""


_locks: dict[Path, threading.RLock] = {}
_locks_lock = threading.Lock()


def _lock_of(folder: Path) -> threading.RLock:
    with _locks_lock:
        return _locks.setdefault(folder, threading.RLock())

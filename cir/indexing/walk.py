"""The image files below a folder, in a stable order and bounded memory."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cir.images import is_image_name
from cir.settings import DATA_MARKER


@dataclass(frozen=True)
class FoundFile:
    """An image file: `path` relative to the folder in POSIX form, bytes, nanoseconds since 1970."""

    path: str
    size: int
    modified: int


def walk_images(
    folder: Path, on_error: Callable[[str, str], None] | None = None
) -> Iterator[FoundFile]:
    """Image files below the folder, sorted within each subfolder.

    Names that start with a dot are skipped (caches, macOS resource files); links to folders are not
    followed, so that a loop cannot trap the walk. `on_error(path, reason)` hears of each folder or
    file that cannot be looked at, and of pipes and devices, which could block a reader for ever.
    A data folder of Recompose among the images (`DATA_MARKER` is in it) is passed over: it holds
    their thumbnails.
    """

    def report(path: str | Path, reason: str) -> None:
        if on_error is not None:
            on_error(os.path.relpath(path, folder).replace(os.sep, "/"), reason)

    def failed(error: OSError) -> None:
        report(error.filename or folder, f"cannot be looked at ({error.strerror or error})")

    for parent, folders, files in os.walk(folder, onerror=failed):
        if DATA_MARKER in files:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.startswith(".") or not is_image_name(name):
                continue
            full = os.path.join(parent, name)  # noqa: PTH118 - a Path for each file costs more
            try:
                status = os.stat(full)  # noqa: PTH116
            except OSError as error:
                failed(error)
                continue
            if not stat.S_ISREG(status.st_mode):
                report(full, "is not an ordinary file")
                continue
            relative = os.path.relpath(full, folder).replace(os.sep, "/")
            yield FoundFile(relative, status.st_size, status.st_mtime_ns)

"""The image files below a folder, in a stable order and bounded memory."""

import os
import stat
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cir.images import LINK_OUT, is_image_name, leads_out
from cir.progress import ProgressTeller
from cir.settings import DATA_MARKER

CHUNK_FILES = 512
CHUNKS_AHEAD = 200
"""More than 100,000 files, of about 300 bytes each."""

OnError = Callable[[str, str], None]
"""Hears of a path that cannot be looked at, and why."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """An image file: `path` relative to the folder in POSIX form, bytes, nanoseconds since 1970."""

    path: str
    size: int
    modified: int


def walk_images(
    folder: Path, on_error: OnError | None = None, roots: Sequence[Path] = ()
) -> Iterator[FoundFile]:
    """Image files below the folder, sorted within each subfolder.

    Names that start with a dot are skipped (caches, macOS resource files); links to folders are not
    followed, so that a loop cannot trap the walk. `on_error(path, reason)` hears of each folder or
    file that cannot be looked at, and of pipes and devices, which could block a reader for ever.
    With `roots`, links to files must lead below one of them, see `cir.images.leads_out`.
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
        relative = os.path.relpath(parent, folder).replace(os.sep, "/")
        above = "" if relative == "." else f"{relative}/"
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
            if roots and os.path.islink(full) and leads_out(full, roots):  # noqa: PTH114
                report(full, LINK_OUT)
                continue
            yield FoundFile(above + name, status.st_size, status.st_mtime_ns)


class Walk:
    """One walk through a folder's images, by a thread that runs ahead of its reader.

    What it finds is looked at first, as far as it takes to decide something, then taken. The thread
    waits while `CHUNKS_AHEAD` chunks are not taken. The total of `teller` grows as it finds files.
    """

    def __init__(
        self,
        folder: Path,
        teller: ProgressTeller,
        only: Collection[str] | None = None,
        roots: Sequence[Path] = (),
    ) -> None:
        """Begin to walk; `only`: relative paths of the files that are wanted, None for all.

        `roots` as in `walk_images`.
        """
        self._folder = folder
        self._only = only
        self._teller = teller
        self._found = 0
        teller.total, teller.growing = 0, True
        self._problems: list[tuple[str, str]] = []
        self._roots = roots
        self._walk = walk_images(folder, lambda *problem: self._problems.append(problem), roots)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="walk")
        self._chunks: deque[Future[_Chunk]] = deque()
        for _ in range(CHUNKS_AHEAD):
            self._chunks.append(self._pool.submit(self._chunk))

    def look(self) -> Iterator[FoundFile]:
        """All files, in their order, none of them taken; for use before `take`.

        Beyond what the thread holds this walks by itself. It tells the listener as it waits.
        """
        seen = 0
        for chunk in self._chunks:
            files, _ = chunk.result()
            self._teller.count(0)
            seen += len(files)
            yield from files
            if len(files) < CHUNK_FILES:
                return
        yield from islice(walk_images(self._folder, roots=self._roots), seen, None)

    def look_wanted(self) -> Iterator[FoundFile]:
        """The wanted files among those of `look`."""
        return filter(self._is_wanted, self.look())

    def take(self, on_error: OnError) -> Iterator[FoundFile]:
        """The wanted files, once; `on_error` is that of `walk_images`, called in this thread."""
        while True:
            files, problems = self._chunks.popleft().result()
            self._chunks.append(self._pool.submit(self._chunk))
            for problem in problems:
                on_error(*problem)
            yield from filter(self._is_wanted, files)
            if len(files) < CHUNK_FILES:
                return

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(cancel_futures=True)

    def _chunk(self) -> "_Chunk":
        """The next files and what could not be looked at among them; runs in the thread."""
        files = list(islice(self._walk, CHUNK_FILES))
        problems, self._problems = self._problems, []
        self._found += sum(map(self._is_wanted, files))
        self._teller.total = self._found
        self._teller.growing = len(files) == CHUNK_FILES
        return files, problems

    def _is_wanted(self, file: FoundFile) -> bool:
        return self._only is None or file.path in self._only


_Chunk = tuple[list[FoundFile], list[tuple[str, str]]]

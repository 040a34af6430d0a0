"""Archives from strangers: their files, read without trusting what an archive says of itself."""

import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from cir.errors import UsageError

MAX_ENTRIES = 20_000
MAX_DEPTH = 32  # folders within each other
SPARE_FOLDERS = 1000  # beyond one for each file
MAX_UNPACKED_BYTES = 2 * 2**30
MAX_RATIO = 100  # pictures hardly shrink; what grows more than this is a bomb,
FREE_BYTES = 100 * 2**20  # beyond a few flat drawings that really do
CHUNK_BYTES = 2**20

_SHOWN = 100  # characters of an entry's name, in a message
_ZIP_ENTRY = b"PK\x01\x02"
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, ValueError, OSError
)  # fmt: skip


@dataclass
class _Budget:
    """Bytes that may still be unpacked, counted as they come out."""

    name: str
    limit: int
    spent: int = 0

    def spend(self, count: int) -> None:
        self.spent += count
        if self.spent > self.limit:
            raise UsageError(
                f"{self.name} unpacks to more than {self.limit // 2**20:,} MB, which is the limit "
                "for it. Split it, or leave out what is not needed."
            )


@dataclass(frozen=True)
class Entry:
    """A file in an archive; `path` leads nowhere out of the folder that it is unpacked to."""

    path: PurePosixPath
    _open: Callable[[], Any]
    _budget: _Budget

    def read(self) -> bytes:
        """Its content; errors as `opened_archive` has them."""
        return b"".join(self._pieces())

    def unpack(self, target: Path) -> None:
        """Write its content to a new file; errors as `opened_archive` has them."""
        with target.open("xb") as file:
            file.writelines(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        with self._open() as file:
            while piece := file.read(CHUNK_BYTES):
                self._budget.spend(len(piece))
                yield piece


@contextmanager
def opened_archive(
    name: str,
    content: bytes,
    *,
    kind: Literal["zip", "tar"] = "zip",
    limit: int = MAX_UNPACKED_BYTES,
) -> Iterator[list[Entry]]:
    """The files of an archive, without hidden ones and what macOS adds; a tar may be compressed.

    Whatever is wrong with it, also when that is found inside the `with`, is one sentence.

    Args:
        name: its file name, for messages.
        limit: bytes that may come out in all; less for an archive so small that it would have to
            be a bomb.

    Raises:
        UsageError: it is damaged, encrypted, packed in an unknown way or beyond a limit, two of its
            entries have one name, or one has none, points out of it, is a link or a device.
    """
    budget = _Budget(name, min(limit, FREE_BYTES + MAX_RATIO * len(content)))
    try:
        if kind == "zip":
            # Counted before zipfile makes an object of each.
            _check_number(name, content.count(_ZIP_ENTRY))
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                yield _checked(name, _in_zip(archive, budget))
        else:
            with tarfile.open(fileobj=io.BytesIO(content)) as tar:
                yield _checked(name, _in_tar(tar, budget))
    except NotImplementedError as error:
        raise UsageError(f"{name} is packed in a way that cannot be read ({error}).") from error
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's error: gzip's and bz2's have no number
        raise UsageError(
            f"{name} is not a {kind} file, or it is damaged. Pack or download it again."
        ) from error


def read_zip(
    name: str, content: bytes, wanted: Callable[[PurePosixPath], bool], limit: int
) -> dict[PurePosixPath, bytes]:
    """The wanted files of a zip, by their path in it; limit and errors as in `opened_archive`."""
    with opened_archive(name, content, limit=limit) as entries:
        return {each.path: each.read() for each in entries if wanted(each.path)}


def shallowest(paths: Iterable[PurePosixPath], name: str) -> PurePosixPath | None:
    """The path of this file name nearest to the top, or None."""
    found = [path for path in paths if path.name == name]
    return min(found, key=lambda path: (len(path.parts), str(path)), default=None)


def _in_zip(archive: zipfile.ZipFile, budget: _Budget) -> Iterator[Entry]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        path = _safe_path(budget.name, _name(info), kind in {0, stat.S_IFREG, stat.S_IFDIR})
        if info.flag_bits & _ENCRYPTED:
            raise UsageError(f"{budget.name} is encrypted. Pack it without a password.")
        if not info.filename.endswith("/"):  # `is_dir` fails where the name is empty
            _require_name(budget.name, path)
            yield Entry(path, partial(archive.open, info), budget)


def _in_tar(archive: tarfile.TarFile, budget: _Budget) -> Iterator[Entry]:
    passed = _Budget(budget.name, budget.limit)  # to list an entry is to unpack those before it
    for number, member in enumerate(archive, start=1):
        _check_number(budget.name, number)
        passed.spend(member.size)
        path = _safe_path(budget.name, member.name, member.isfile() or member.isdir())
        if member.isfile():
            _require_name(budget.name, path)
            yield Entry(path, partial(archive.extractfile, member), budget)


def _checked(name: str, entries: Iterable[Entry]) -> list[Entry]:
    """The entries worth reading; their names differ and ask for no more folders than files do."""
    kept = [each for each in entries if not _is_clutter(each.path)]
    paths: set[PurePosixPath] = set()
    folders: set[tuple[str, ...]] = set()
    for entry in kept:
        if entry.path in paths:
            raise UsageError(
                f"{name} was refused: it has two entries named {_short(entry.path)}. Pack it anew."
            )
        paths.add(entry.path)
        parents = entry.path.parts[:-1]
        if len(parents) > MAX_DEPTH:
            raise UsageError(
                f"{name} was refused: {_short(entry.path)} lies more than {MAX_DEPTH} folders deep."
            )
        folders.update(parents[:depth] for depth in range(1, len(parents) + 1))
        if len(folders) > SPARE_FOLDERS + len(kept):
            raise UsageError(
                f"{name} was refused: it spreads {len(kept):,} files over more than "
                f"{SPARE_FOLDERS + len(kept):,} folders."
            )
    return kept


def _short(path: object) -> str:
    text = str(path)
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _safe_path(name: str, text: str, ordinary: bool) -> PurePosixPath:
    """The path of an entry that is an ordinary file or folder, and that leads nowhere outside."""
    path = PurePosixPath(text.replace("\\", "/"))
    text = text[:_SHOWN] + "…" * (len(text) > _SHOWN)
    if path.is_absolute() or ".." in path.parts or text[1:2] == ":":
        raise UsageError(f"{name} was refused: its entry {text!r} points out of it.")
    if not ordinary:
        raise UsageError(f"{name} was refused: its entry {text!r} is a link, not a file.")
    return path


def _require_name(name: str, path: PurePosixPath) -> None:
    if not path.name:
        raise UsageError(f"{name} was refused: it has an entry without a name. Pack it anew.")


def _check_number(name: str, entries: int) -> None:
    if entries > MAX_ENTRIES:
        raise UsageError(f"{name} holds more than {MAX_ENTRIES:,} files. Split it.")


def _name(info: zipfile.ZipInfo) -> str:
    """The entry's name; many programs write UTF-8 without saying so."""
    if info.flag_bits & _UTF8_NAME:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _is_clutter(path: PurePosixPath) -> bool:
    """Whether a walk through the unpacked folder would pass it by."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)

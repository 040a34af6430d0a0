"""Zip files from strangers: what to take from one, and reading it without trusting what it says."""

import io
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from cir.errors import UsageError
from cir.images import is_image_name
from cir.indexing.metadata import FORMATS

MAX_ENTRIES = 20_000
MAX_UNPACKED_BYTES = 2 * 2**30
MAX_RATIO = 100  # pictures hardly shrink; what grows more than this is a bomb,
FREE_BYTES = 100 * 2**20  # beyond a few flat drawings that really do
CHUNK_BYTES = 2**20
TABLE_SUFFIXES = frozenset(FORMATS.split(", "))

_ENTRY = b"PK\x01\x02"
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class ZipPlan:
    """What to take from a zip.

    Attributes:
        images: entries with the relative paths that they get; a folder that holds all is left out.
        table: the metadata table beside or above the images, if there is one to choose.
        left_out: files that are neither.
    """

    images: Sequence[tuple[zipfile.ZipInfo, PurePosixPath]]
    table: zipfile.ZipInfo | None
    left_out: int


class Budget:
    """Bytes that may still be unpacked, counted as they come out."""

    def __init__(self, zip_bytes: int) -> None:
        self._left = min(MAX_UNPACKED_BYTES, FREE_BYTES + MAX_RATIO * zip_bytes)

    def spend(self, count: int) -> None:
        """Count bytes.

        Raises:
            UsageError: there are too many.
        """
        self._left -= count
        if self._left < 0:
            raise UsageError(
                f"The zip unpacks to too much: the limit is {MAX_UNPACKED_BYTES / 2**30:.0f} GB, "
                f"and about {MAX_RATIO} times its own size. Split it, or index a folder instead."
            )


@contextmanager
def opened_zip(name: str, content: bytes) -> Iterator[zipfile.ZipFile]:
    """The zip; whatever is wrong with it, also found later inside, is one sentence.

    Raises:
        UsageError: it is damaged, encrypted, packed in an unknown way, or has too many entries.
    """
    try:
        # Counted before zipfile makes an object of each.
        if content.count(_ENTRY) > MAX_ENTRIES:
            raise UsageError(f"{name} holds more than {MAX_ENTRIES:,} files. Split it.")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield archive
    except NotImplementedError as error:
        raise UsageError(f"{name} is packed in a way that cannot be read ({error}).") from error
    except (zipfile.BadZipFile, zlib.error, LZMAError, EOFError, ValueError) as error:
        raise UsageError(f"{name} is not a zip file, or it is damaged. Pack it again.") from error


def is_table_name(name: str | PurePosixPath) -> bool:
    """Whether the file's ending is one of a metadata table."""
    return PurePosixPath(name).suffix.lower() in TABLE_SUFFIXES


def plan(name: str, archive: zipfile.ZipFile) -> ZipPlan:
    """What to take.

    Raises:
        UsageError: an entry points out of the zip, is a link or a device, or is encrypted.
    """
    images: list[tuple[zipfile.ZipInfo, PurePosixPath]] = []
    tables: list[tuple[zipfile.ZipInfo, PurePosixPath]] = []
    left_out = 0
    for info in archive.infolist():
        path = _safe_path(name, info)
        if info.is_dir() or _is_clutter(path):
            continue
        if info.flag_bits & _ENCRYPTED:
            raise UsageError(f"{name} is encrypted. Pack it without a password.")
        if is_image_name(path):
            images.append((info, path))
        elif is_table_name(path):
            tables.append((info, path))
        else:
            left_out += 1
    top = _common_folder([path for _, path in images])
    table = _chosen([each for each in tables if each[1].parent in {top, PurePosixPath()}])
    inside = [(info, path.relative_to(top)) for info, path in images]
    return ZipPlan(inside, table, left_out + len(tables) - (table is not None))


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, budget: Budget) -> None:
    """Write one entry to a new file, within the budget."""
    with archive.open(info) as source, target.open("xb") as file:
        while chunk := source.read(CHUNK_BYTES):
            budget.spend(len(chunk))
            file.write(chunk)


def _safe_path(name: str, info: zipfile.ZipInfo) -> PurePosixPath:
    """The entry's path, which cannot lead out of the folder that it is unpacked to."""
    text = _name(info).replace("\\", "/")
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or text[1:2] == ":":
        raise UsageError(f"{name} was refused: its entry {text!r} points out of the zip.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise UsageError(f"{name} was refused: its entry {text!r} is a link, not a file.")
    return path


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


def _common_folder(paths: Sequence[PurePosixPath]) -> PurePosixPath:
    """The top folder that holds all paths: what is left of a folder that was zipped whole."""
    tops = {path.parts[0] for path in paths if len(path.parts) > 1}
    if len(tops) != 1 or any(len(path.parts) == 1 for path in paths):
        return PurePosixPath()
    return PurePosixPath(tops.pop())


def _chosen(
    tables: Sequence[tuple[zipfile.ZipInfo, PurePosixPath]],
) -> zipfile.ZipInfo | None:
    """The table named metadata, else the only one."""
    named = [info for info, path in tables if path.stem.lower() == "metadata"]
    if named:
        return named[0]
    return tables[0][0] if len(tables) == 1 else None

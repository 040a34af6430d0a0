"""Files out of an uploaded zip, in memory: nothing is unpacked to disk, and sizes are bounded."""

from collections.abc import Callable
from pathlib import PurePosixPath

from cir.errors import UsageError
from cir.indexing.archives import opened_zip

_ENCRYPTED = 0x1


def read_zip(
    name: str, data: bytes, wanted: Callable[[PurePosixPath], bool], limit: int
) -> dict[PurePosixPath, bytes]:
    """The wanted files of a zip, by their path in it.

    Args:
        name: the zip's file name, for messages.
        data: its content.
        wanted: says by its path whether a file is read.
        limit: bytes that the wanted files may hold together, counted while they are unpacked.

    Raises:
        UsageError: it is no zip, damaged, encrypted, or larger than the limit.
    """
    found: dict[PurePosixPath, bytes] = {}
    left = limit
    with opened_zip(name, data) as archive:
        for member in archive.infolist():
            path = PurePosixPath(member.filename)
            if member.is_dir() or _is_hidden(path) or not wanted(path):
                continue
            if member.flag_bits & _ENCRYPTED:
                raise UsageError(f"{name} is encrypted. Pack it without a password.")
            with archive.open(member) as file:
                content = file.read(left + 1)
            left -= len(content)
            if left < 0:
                raise UsageError(f"{name} unpacks to more than {limit // 2**20} MB.")
            found[path] = content
    return found


def shallowest(paths: dict[PurePosixPath, bytes], name: str) -> PurePosixPath | None:
    """The path of this file name nearest to the top, or None."""
    found = [path for path in paths if path.name == name]
    return min(found, key=lambda path: (len(path.parts), str(path)), default=None)


def _is_hidden(path: PurePosixPath) -> bool:
    """What macOS and others add to a zip beside the files themselves."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)

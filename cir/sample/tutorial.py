"""The photos of the tutorial "Composed Image Retrieval with Milvus", fetched over the network."""

import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO, Any

from cir.errors import RecomposeError
from cir.images import is_image_name
from cir.progress import Progress, ProgressTeller

URL = (
    "https://github.com/milvus-io/bootcamp/releases/download/data/amazon_reviews_2023_subset.tar.gz"
)
MAX_DOWNLOAD = 200 * 2**20
MAX_UNPACKED = 500 * 2**20
MAX_FILES = 20_000
TIMEOUT_SECONDS = 30.0
_KB = 1000
_CHUNK = 256 * _KB


def fetch_tutorial(
    folder: Path, on_progress: Callable[[Progress], None] | None = None, *, url: str | None = None
) -> Path:
    """The folder with the tutorial's photos, fetched (about 20 MB) unless they are there already.

    Only image files are taken from the archive, whatever its folders are called. The folder appears
    complete or not at all.

    Raises:
        RecomposeError: no network, not an archive, or an archive beyond the limits.
    """
    if folder.is_dir():
        return folder
    address = url or URL
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        archive = fresh / "archive"
        _download(address, archive, on_progress)
        _unpack(archive, fresh / "photos")
        (fresh / "photos").rename(folder)
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise RecomposeError(
            f"The tutorial's photos cannot be fetched from {address} ({reason}). Try again with a "
            "network, or use the sample catalogue: python -m cir sample"
        ) from error
    except (tarfile.TarError, EOFError, OSError) as error:
        raise RecomposeError(f"The archive from {address} cannot be unpacked: {error}.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _download(address: str, target: Path, on_progress: Callable[[Progress], None] | None) -> None:
    with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:
        announced = int(answer.headers.get("Content-Length") or 0)
        if announced > MAX_DOWNLOAD:
            raise RecomposeError(_too_large(address))
        teller = ProgressTeller(announced // _KB, on_progress, stage="Fetching (KB)")
        with target.open("wb") as file:
            _copy(answer, file, teller, address)
        if announced and target.stat().st_size != announced:
            raise ConnectionError("the connection broke off")


def _copy(answer: Any, file: IO[bytes], teller: ProgressTeller, address: str) -> None:
    total = 0
    while chunk := answer.read(_CHUNK):
        total += len(chunk)
        if total > MAX_DOWNLOAD:
            raise RecomposeError(_too_large(address))
        file.write(chunk)
        teller.count(len(chunk) // _KB)


def _unpack(archive: Path, target: Path) -> None:
    """Take the image files out; links, devices and names that lead elsewhere are passed over."""
    files = total = 0
    with tarfile.open(archive, "r:*") as content:
        for member in content:
            name = PurePosixPath(member.name)
            odd = any(part.startswith(".") for part in name.parts)  # hidden, or ".."
            if not member.isfile() or odd or name.is_absolute() or not is_image_name(name):
                continue
            files, total = files + 1, total + member.size
            if files > MAX_FILES or total > MAX_UNPACKED:
                raise tarfile.TarError("it holds more than a tutorial's photos")
            content.extract(member, target, filter="data")
    if not files:
        raise tarfile.TarError("it holds no images")


def _too_large(address: str) -> str:
    return f"The archive at {address} is larger than {MAX_DOWNLOAD // 2**20} MB. Check the address."

"""The photos of the tutorial "Composed Image Retrieval with Milvus", out of their archive."""

import tempfile
from pathlib import Path

from cir.errors import UsageError, WayOut
from cir.images import is_image_name
from cir.indexing.archives import opened_archive

ADDRESS = (
    "https://github.com/milvus-io/bootcamp/releases/download/data/amazon_reviews_2023_subset.tar.gz"
)
"""Where a person gets the archive. No checksum of it is published, so nothing here fetches it."""
MAX_BYTES = 200 * 2**20
MAX_UNPACKED = 500 * 2**20


def unpack_tutorial(archive: Path | None, folder: Path) -> Path:
    """The folder with the tutorial's photos, unpacked from the archive unless they are there.

    Only image files are taken, whatever their folders are called. The folder appears complete or
    not at all.

    Raises:
        UsageError: there is no archive, or it is damaged, too large or without images.
        OSError: the folder cannot be written.
    """
    if folder.is_dir():
        return folder
    if archive is None or not archive.is_file():
        lack = f"There is no file {archive}" if archive else "The tutorial's photos are not here"
        raise UsageError(f"{lack}. Download {ADDRESS} (20 MB).", WayOut.NAME_ARCHIVE)
    if archive.stat().st_size > MAX_BYTES:
        raise UsageError(f"{archive} is larger than the tutorial's archive can be. Check its name.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        fresh = Path(temporary) / "photos"
        with opened_archive(
            archive.name, archive.read_bytes(), kind="tar", limit=MAX_UNPACKED
        ) as entries:
            for entry in entries:
                if is_image_name(entry.path):
                    target = fresh / entry.path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    entry.unpack(target)
        if not fresh.exists():
            raise UsageError(f"{archive} holds no images: it is not the tutorial's archive.")
        fresh.rename(folder)
    return folder

"""The sample catalogue as an index, and the tutorial's photos as another."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cir.access import refuse_change
from cir.encoders.protocol import Encoder
from cir.errors import EncoderMismatchError, RecomposeError, UsageError, WayOut
from cir.images import is_image_name
from cir.indexing.archives import opened_archive
from cir.indexing.folder import FailedImage, IngestReport, ingest
from cir.progress import OnProgress
from cir.sample.catalogue import IMAGES, LABELLED, write_catalogue
from cir.sample.hard import hard_queries
from cir.sample.labelled import write_labelled
from cir.settings import Settings
from cir.store import MilvusStore

SAMPLE_NAME = "Sample catalogue"
TUTORIAL_NAME = "Tutorial photos"

HARD = "labelled-hard"
"""Of the drawn sample's folder, the part that holds the hard labelled set."""

OnFailure = Callable[[FailedImage], None]


def sample_folder(settings: Settings) -> Path:
    """Where the sample catalogue is drawn."""
    return settings.data_dir / "sample"


def sample_labelled_set(settings: Settings) -> tuple[Path, Path]:
    """The sample's labelled set and its gallery of pictures; both may not be there yet."""
    folder = sample_folder(settings)
    return folder / LABELLED, folder / IMAGES


def hard_labelled_set(settings: Settings) -> tuple[Path, Path]:
    """The hard labelled set and its gallery, the sample's; both may not be there yet."""
    folder = sample_folder(settings)
    return folder / HARD, folder / IMAGES


def draw_hard_sample(settings: Settings, on_progress: OnProgress | None = None) -> None:
    """Write the hard labelled set beside the catalogue; errors and drawing as in `draw_sample`."""
    draw_sample(settings, on_progress)
    try:
        write_labelled(hard_labelled_set(settings)[0], hard_queries())
    except OSError as error:
        raise RecomposeError(f"The hard labelled set cannot be written: {error}.") from error


def draw_sample(settings: Settings, on_progress: OnProgress | None = None) -> Path:
    """Draw the sample catalogue where it is not there yet; the folder of its pictures.

    Raises:
        ReadOnlyError: this Recompose is read-only.
        RecomposeError: the folder cannot be written, or drawing failed.
    """
    refuse_change(settings.read_only)
    try:
        return write_catalogue(sample_folder(settings), on_progress)
    except OSError as error:
        raise RecomposeError(f"The sample catalogue cannot be written: {error}.") from error


def build_sample(
    store: MilvusStore,
    settings: Settings,
    encoder: Encoder,
    on_progress: OnProgress | None = None,
    on_failure: OnFailure | None = None,
) -> IngestReport:
    """Draw the sample catalogue and bring its index up to date; errors as `ingest` has them."""
    started = time.monotonic()
    images = draw_sample(settings, on_progress)
    report = _renewed(store, images, SAMPLE_NAME, encoder, on_progress, on_failure)
    report.seconds = time.monotonic() - started
    return report


def build_tutorial(
    store: MilvusStore,
    settings: Settings,
    encoder: Encoder,
    archive: Path | None,
    on_progress: OnProgress | None = None,
) -> IngestReport:
    """Unpack the photos of the Milvus tutorial, where they are not yet, and index them.

    Raises:
        UsageError: there is no archive, or it is not the tutorial's; and what `ingest` raises.
    """
    refuse_change(settings.read_only)
    folder = unpack_tutorial(archive, settings.data_dir / "tutorial")
    return _renewed(store, folder, TUTORIAL_NAME, encoder, on_progress, None)


def _renewed(
    store: MilvusStore,
    folder: Path,
    name: str,
    encoder: Encoder,
    on_progress: OnProgress | None,
    on_failure: OnFailure | None,
) -> IngestReport:
    """The index of the folder; made anew where another version of the encoder made it."""

    def update() -> IngestReport:
        return ingest(
            store,
            folder,
            name,
            encoder,
            prune=True,
            on_progress=on_progress,
            on_failure=on_failure,
        )

    try:
        return update()
    except EncoderMismatchError:
        store.drop(name)
        return update()


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

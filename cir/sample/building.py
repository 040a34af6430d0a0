"""The sample catalogue as an index, and the tutorial's photos as another."""

import time
from collections.abc import Callable
from pathlib import Path

from cir.access import refuse_change
from cir.encoders.protocol import Encoder
from cir.errors import EncoderMismatchError, RecomposeError
from cir.indexing.folder import FailedImage, IngestReport, ingest
from cir.progress import OnProgress
from cir.sample.catalogue import IMAGES, LABELLED, write_catalogue
from cir.sample.tutorial import unpack_tutorial
from cir.settings import Settings
from cir.store import MilvusStore

SAMPLE_NAME = "Sample catalogue"
TUTORIAL_NAME = "Tutorial photos"

OnFailure = Callable[[FailedImage], None]


def sample_folder(settings: Settings) -> Path:
    """Where the sample catalogue is drawn."""
    return settings.data_dir / "sample"


def sample_labelled_set(settings: Settings) -> tuple[Path, Path]:
    """The sample's labelled set and its gallery of pictures; both may not be there yet."""
    folder = sample_folder(settings)
    return folder / LABELLED, folder / IMAGES


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

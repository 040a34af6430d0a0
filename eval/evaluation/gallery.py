"""What a labelled set is searched in: a folder of images, or an index that a person made."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cir.encoders.protocol import Encoder, require_same_encoder
from cir.errors import EncoderMismatchError, UsageError
from cir.indexing.folder import FailedImage, ingest
from cir.progress import OnProgress
from cir.store import ImageRecord, IndexInfo, MilvusIndex, MilvusStore, image_id
from eval.errors import BenchWayOut

_NAME_LENGTH = 40  # of a folder's name in a gallery's: index names are bounded


@dataclass(frozen=True)
class Gallery:
    """Images that are searched, with the encoder of their embeddings.

    Attributes:
        label: the gallery in words, for messages.
        folder: where the image files are; ids of a labelled set are paths relative to it.
        index: the opened Milvus collection.
        encoder: what made its embeddings.
        paths: of all images that a ranking can hold, relative to `folder`, POSIX form.
        fingerprint: hex digest of paths and contents.
        failed: images of the folder that could not be read and are not in the gallery.
    """

    label: str
    folder: Path
    index: MilvusIndex
    encoder: Encoder
    paths: frozenset[str]
    fingerprint: str
    failed: tuple[FailedImage, ...] = ()

    def has_reference(self, path: str) -> bool:
        """Whether a picture can serve as reference: in the gallery, its file still there."""
        return path in self.paths and (self.folder / path).is_file()


def open_folder(
    store: MilvusStore,
    folder: Path,
    encoder: Encoder,
    on_progress: OnProgress | None = None,
    *,
    only: Collection[str] | None = None,
    roots: Sequence[Path] = (),
) -> Gallery:
    """The gallery of a folder, made by the ordinary ingest; unchanged files are not read again.

    Folder and encoder name the gallery: another encoder gets a gallery of its own. So does each
    selection of the folder's images, given as their relative paths in `only`. `roots`: folders out
    of which no link may lead, see `cir.access.link_roots`.

    Raises:
        UsageError: there is no such folder, or it holds no image that can be read.
    """
    check_folder(folder)
    folder = folder.resolve()
    name = gallery_name(folder, encoder, only)
    report = ingest(
        store,
        folder,
        name,
        encoder,
        prune=True,
        kind="gallery",
        exact=True,
        only=only,
        roots=roots,
        on_progress=on_progress,
    )
    index = store.open(name, kind="gallery")
    # An ingest keeps what it knew of a file that is damaged now; a gallery is the folder of today.
    index.delete([image_id(failure.path) for failure in report.failed])
    return _gallery(f"the gallery {folder}", folder, index, encoder, report.failed)


def open_index(
    index: MilvusIndex,
    encoder: Encoder | str | None,
    load: Callable[[IndexInfo], Encoder],
) -> Gallery:
    """A person's index as a gallery, with the encoder that made it.

    Args:
        index: what to search.
        encoder: the encoder that was asked for, or its name; None for the one of the index.
        load: gives the encoder of an index.

    Raises:
        EncoderMismatchError: the index was made by another encoder, or by other weights.
        UsageError: the folder of the index is not known or gone, or the index is empty.
    """
    info = index.info
    if isinstance(encoder, str) and encoder != info.encoder:
        raise EncoderMismatchError(
            f"The index {info.name!r} was made by the encoder {info.encoder!r}, not by "
            f"{encoder!r}.",
            BenchWayOut.INDEX_S_ENCODER,
        )
    if info.source is None:
        raise UsageError(
            f"The index {info.name!r} has no source folder to read reference images from.",
            BenchWayOut.SEARCH_A_FOLDER,
        )
    folder = Path(info.source)
    check_folder(folder)
    loaded = load(info) if encoder is None or isinstance(encoder, str) else encoder
    require_same_encoder(loaded, info)
    return _gallery(f"the index {info.name!r}", folder, index, loaded)


def check_folder(folder: Path) -> None:
    """Refuse a folder of images that is not there.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder}: name the one that holds the images.")


def gallery_name(folder: Path, encoder: Encoder, only: Collection[str] | None = None) -> str:
    """Name of the gallery of a resolved folder under an encoder, the same at every run."""
    key = "\0".join([f"{folder}\0{encoder.fingerprint}\0{encoder.precision}", *sorted(only or ())])
    digest = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
    return f"{folder.name[:_NAME_LENGTH] or 'root'}-{encoder.spec.name}-{digest[:12]}"


def content_fingerprint(records: Iterable[ImageRecord]) -> str:
    """Hex digest of the paths and contents of a gallery's images, whatever their order."""
    lines = sorted(f"{record.path}\0{record.content_hash}" for record in records)
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def _gallery(
    label: str,
    folder: Path,
    index: MilvusIndex,
    encoder: Encoder,
    failed: Sequence[FailedImage] = (),
) -> Gallery:
    records = list(index.iterate())
    if not records:
        some = "".join(f" ({failure.path!r}: {failure.reason})" for failure in failed[:1])
        raise UsageError(f"{label[0].upper()}{label[1:]} holds no image that can be read{some}.")
    paths = frozenset(record.path for record in records)
    return Gallery(
        label, folder, index, encoder, paths, content_fingerprint(records), tuple(failed)
    )

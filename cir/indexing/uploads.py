"""Images that people send instead of naming a folder: kept in a folder of their own, then indexed.

Everything is first written to a temporary folder and moved when it is whole: an upload that is
refused, stopped or cut off leaves nothing behind.
"""

import hashlib
import itertools
import shutil
import tempfile
import time
import unicodedata
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cir.errors import UsageError
from cir.images import SUFFIXES, is_image_name
from cir.indexing.archives import Entry, opened_archive
from cir.indexing.metadata import FORMATS, read_table
from cir.indexing.walk import walk_images
from cir.progress import OnProgress, ProgressTeller

MAX_FILES = 1000
MAX_BYTES = 200 * 2**20
MAX_TABLE_BYTES = 100 * 2**20
MAX_NAME_BYTES = 180  # file systems end at 255; room for a number
STALE_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Upload:
    """A file as it was sent: the name that its sender gave it, which may be anything."""

    name: str
    content: bytes

    @property
    def is_zip(self) -> bool:
        """Whether its name says that it is a zip."""
        return self.name.lower().endswith(".zip")


@dataclass(frozen=True)
class Received:
    """What became of an upload: `images` new files, `known` that were there, `left_out` others."""

    folder: Path
    images: int
    known: int
    left_out: int


def require_acceptable(uploads: Sequence[Upload]) -> None:
    """Check kinds, number and size, before anything is written.

    Raises:
        UsageError: nothing was sent, too much was, or something that is no image and no zip.
    """
    if not uploads:
        raise UsageError("There is nothing to index yet: choose images, or a zip of images.")
    if len(uploads) > MAX_FILES:
        raise UsageError(
            f"{len(uploads):,} files are too many at once: the limit is {MAX_FILES:,}. Send a zip, "
            "or add the rest afterwards."
        )
    total = sum(len(upload.content) for upload in uploads)
    if total > MAX_BYTES:
        raise UsageError(
            f"{total / 2**20:.0f} MB are too much at once: the limit is {MAX_BYTES // 2**20} MB. "
            "Add the rest afterwards."
        )
    for upload in uploads:
        if not (upload.is_zip or is_image_name(_tidy(upload.name))):
            raise UsageError(
                f"{upload.name} is not an image file by its name (known endings: "
                f"{', '.join(sorted(SUFFIXES))}) and not a zip."
            )


def receive(
    uploads: Sequence[Upload],
    data_dir: Path,
    *,
    table: Upload | None = None,
    into: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Received:
    """Keep the images of an upload, in a new folder or added to the folder `into`.

    A metadata table comes as `table` or inside a zip, and replaces the folder's earlier one. A file
    whose name is taken gets a number; one that is there with the same content is not kept twice.

    Raises:
        UsageError: as in `require_acceptable`; a zip is damaged, encrypted, tricky or too large;
            the table does not fit; the disk is full. Nothing has been kept then.
    """
    require_acceptable(uploads)
    folder = into or _new_folder(data_dir)
    with _staging(data_dir) as stage:
        intake = _Intake(stage, folder)
        for upload in uploads:
            teller = ProgressTeller(None, on_progress, stage=f"Taking in {upload.name}")
            teller.count(0)
            if upload.is_zip:
                intake.take_zip(upload, teller)
            else:
                intake.take(PurePosixPath(_tidy(upload.name)), upload.content)
        if table is not None:
            intake.take_table(table)
        intake.check()
        return intake.move()


def upload_folder(source: str | None, data_dir: Path) -> Path | None:
    """The folder of uploaded images that an index's source names; None for other sources."""
    if source is None:
        return None
    path = Path(source)
    return path if path.parent == _root(data_dir) and not path.is_symlink() else None


def forget_upload(folder: Path, data_dir: Path) -> None:
    """Remove an upload's files; a folder that is no upload stays."""
    if upload_folder(str(folder), data_dir) is not None:
        shutil.rmtree(folder, ignore_errors=True)


def folder_table(folder: Path) -> Path | None:
    """The table kept in a folder, whichever its format."""
    found = (folder / f"metadata{suffix}" for suffix in FORMATS.split(", "))
    return next((path for path in found if path.is_file()), None)


def keep_table(table: Upload, images: Path, home: Path, data_dir: Path) -> None:
    """Keep a metadata table for the images of a folder, in `home`, instead of an earlier one.

    It is needed again when the indexing was stopped and goes on.

    Raises:
        UsageError: the table cannot be read or does not name the images; the earlier one stays.
    """
    with _staging(data_dir) as stage:
        path = _write_table(table, stage)
        read_table(path, (found.path for found in walk_images(images)))
        home.mkdir(parents=True, exist_ok=True)
        _replace_table(path, home)


class _Intake:
    """Collects an upload in a temporary folder."""

    def __init__(self, stage: Path, folder: Path) -> None:
        self._folder = folder
        self._images = stage / "images"
        self._images.mkdir()
        self._stage = stage
        self._table: Path | None = None
        self._left_out = 0
        self._count = self._known = 0
        self._contents: dict[PurePosixPath, set[str]] = {}
        self._numbers: dict[str, int] = {}

    def take(self, relative: PurePosixPath, content: bytes) -> None:
        """One image."""
        loose = self._stage / "loose"
        loose.write_bytes(content)
        self._place(loose, relative)

    def take_zip(self, upload: Upload, teller: ProgressTeller) -> None:
        """The images of a zip, and its table."""
        loose = self._stage / "loose"
        with opened_archive(upload.name, upload.content) as entries:
            images = [each for each in entries if is_image_name(each.path)]
            top = _common_folder([each.path for each in images])
            teller.total = len(images)
            for image in images:
                image.unpack(loose)
                self._place(loose, PurePosixPath(*map(_tidy, image.path.relative_to(top).parts)))
                teller.count(1)
            table = _chosen_table(entries, top)
            if table is not None:
                self._table = self._stage / f"metadata{table.path.suffix.lower()}"
                self._table.unlink(missing_ok=True)
                table.unpack(self._table)
        self._left_out += len(entries) - len(images) - (table is not None)

    def take_table(self, table: Upload) -> None:
        """The table that was sent beside the images."""
        self._table = _write_table(table, self._stage)

    def check(self) -> None:
        """Refuse an upload without images, or with a table of other images."""
        if not self._count and self._known:
            raise UsageError("These images are all there already. Nothing was added.")
        if not self._count:
            raise UsageError("The upload holds no images. Nothing was kept.")
        if self._table is not None:
            read_table(self._table, (found.path for found in walk_images(self._images)))

    def move(self) -> Received:
        """Move everything to its folder."""
        fresh = not self._folder.exists()
        if self._table is not None:
            _replace_table(self._table, self._images if fresh else self._folder)
        if fresh:
            self._images.replace(self._folder)
        else:
            self._move_each()
        return Received(self._folder, self._count, self._known, self._left_out)

    def _move_each(self) -> None:
        for found in list(walk_images(self._images)):
            target = self._folder / found.path
            target.parent.mkdir(parents=True, exist_ok=True)
            (self._images / found.path).replace(target)

    def _place(self, loose: Path, relative: PurePosixPath) -> None:
        """Move a file to the next free name, unless its like is there already."""
        known = self._contents.get(relative)
        if known is None:
            known = self._contents[relative] = set(self._kept_of_name(relative))
        content = _digest(loose)
        if content in known:
            loose.unlink()
            self._known += 1
            return
        known.add(content)
        # Some file systems hold no two names that differ in letter case or Unicode form alone.
        like = unicodedata.normalize("NFC", str(relative)).casefold()
        for number in itertools.chain([1], itertools.count(self._numbers.get(like, 2))):
            name = _numbered(relative, number)
            if not any((each / name).exists() for each in (self._folder, self._images)):
                self._numbers[like] = max(2, number + 1)
                target = self._images / name
                target.parent.mkdir(parents=True, exist_ok=True)
                loose.replace(target)
                self._count += 1
                return

    def _kept_of_name(self, relative: PurePosixPath) -> Iterator[str]:
        """Digests of the files that are kept under this name, or this name and a number."""
        for number in itertools.count(1):
            path = self._folder / _numbered(relative, number)
            if path.is_file():
                yield _digest(path)
            elif not path.exists():
                return


def _numbered(path: PurePosixPath, number: int) -> PurePosixPath:
    return path if number == 1 else path.with_name(f"{path.stem} ({number}){path.suffix}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tidy(name: str) -> str:
    """A file name that is safe on disk and still the sender's: no folders, no control characters.

    No dot in front either: such files are passed by when a folder is indexed.
    """
    bare = name.replace("\\", "/").rsplit("/", 1)[-1].encode("utf-8", "replace").decode()
    kept = "".join(each for each in bare if unicodedata.category(each) != "Cc")
    path = PurePosixPath(kept.strip().lstrip(".") or "image")
    stem = path.stem.encode()[:MAX_NAME_BYTES].decode("utf-8", "ignore").strip() or "image"
    return stem + path.suffix


def _common_folder(paths: Sequence[PurePosixPath]) -> PurePosixPath:
    """The top folder that holds all paths: what is left of a folder that was zipped whole."""
    tops = {path.parts[0] for path in paths if len(path.parts) > 1}
    if len(tops) != 1 or any(len(path.parts) == 1 for path in paths):
        return PurePosixPath()
    return PurePosixPath(tops.pop())


def _chosen_table(entries: Sequence[Entry], top: PurePosixPath) -> Entry | None:
    """The metadata table beside or above the images: the one of that name, else the only one."""
    places = {top, PurePosixPath()}
    tables = [e for e in entries if _is_table_name(e.path) and e.path.parent in places]
    named = [each for each in tables if each.path.stem.lower() == "metadata"]
    return (named or tables)[0] if named or len(tables) == 1 else None


def _is_table_name(name: str | PurePosixPath) -> bool:
    """Whether the file's ending is one of a metadata table."""
    return PurePosixPath(name).suffix.lower() in FORMATS.split(", ")


def _write_table(table: Upload, folder: Path) -> Path:
    """The table as a file of its own; its content is not yet looked at."""
    if not _is_table_name(table.name):
        raise UsageError(f"{table.name}: a metadata file ends in one of {FORMATS}.")
    if len(table.content) > MAX_TABLE_BYTES:
        raise UsageError(f"{table.name} is larger than {MAX_TABLE_BYTES // 2**20} MB.")
    path = folder / f"metadata{Path(table.name).suffix.lower()}"
    path.write_bytes(table.content)
    return path


def _replace_table(table: Path, folder: Path) -> None:
    for suffix in FORMATS.split(", "):
        (folder / f"metadata{suffix}").unlink(missing_ok=True)
    table.replace(folder / table.name)


def _root(data_dir: Path) -> Path:
    return data_dir.resolve() / "uploads"


def _new_folder(data_dir: Path) -> Path:
    return _root(data_dir) / uuid.uuid4().hex[:12]


@contextmanager
def _staging(data_dir: Path) -> Iterator[Path]:
    """A temporary folder beside the uploads; what dead processes left there goes, too."""
    root = _root(data_dir)
    try:
        root.mkdir(parents=True, exist_ok=True)
        for old in root.glob(".part-*"):
            if time.time() - old.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".part-") as stage:
            yield Path(stage)
    except OSError as error:
        raise UsageError(
            f"The upload cannot be kept on this server ({error.strerror or error}). Nothing was "
            "kept."
        ) from error

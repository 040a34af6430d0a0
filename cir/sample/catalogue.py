"""The sample catalogue on disk: pictures with their metadata, and the labelled set beside them."""

import csv
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from cir.progress import OnProgress
from cir.sample.designs import ATTRIBUTES, Design, catalogue
from cir.sample.labelled import sample_queries, write_labelled
from cir.sample.studio import draw_pictures

VERSION = 2
"""Of drawings, designs and labelled set: higher whenever one of them changes."""

IMAGES = "images"
LABELLED = "labelled"
_MARK = "catalogue.json"

Drawer = Callable[[Sequence[Design], Path, OnProgress | None], None]


def write_catalogue(
    folder: Path, on_progress: OnProgress | None = None, *, draw: Drawer = draw_pictures
) -> Path:
    """Draw the sample catalogue into a folder, unless it is there already.

    Afterwards `folder/images` holds the pictures and `metadata.csv`, ready to be indexed, and
    `folder/labelled` the labelled set. The folder appears complete or not at all; an older or
    incomplete catalogue in its place is replaced.

    Args:
        on_progress: called in this thread as pictures are drawn; what it raises stops the work.
        draw: makes the files of the pictures in a folder.

    Returns:
        The folder of the pictures.

    Raises:
        FileExistsError: the folder holds something else, which is left alone.
        OSError: it cannot be written.
        RecomposeError: it cannot be drawn.
    """
    if is_complete(folder):
        return folder / IMAGES
    _check_replaceable(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write_all(fresh, on_progress, draw)
        _put_in_place(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder / IMAGES


def is_complete(folder: Path) -> bool:
    """Whether the folder holds this version of the catalogue, with all of its files."""
    try:
        mark = json.loads((folder / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if not isinstance(mark, dict) or mark.get("version") != VERSION:
        return False
    pictures = folder / IMAGES
    labelled = folder / LABELLED
    files = [pictures / design.file for design in catalogue()]
    files += [pictures / "metadata.csv", labelled / "queries.jsonl", labelled / "qrels/test.tsv"]
    return all(file.is_file() for file in files)


def _check_replaceable(folder: Path) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / _MARK).is_file():
        raise FileExistsError(
            f"{folder} holds something other than the sample catalogue: name a new or empty folder."
        )


def _write_all(folder: Path, on_progress: OnProgress | None, draw: Drawer) -> None:
    pictures = folder / IMAGES
    pictures.mkdir()
    designs = catalogue()
    draw(designs, pictures, on_progress)
    _write_metadata(pictures / "metadata.csv", designs)
    write_labelled(folder / LABELLED, sample_queries())
    mark = {"version": VERSION, "pictures": len(designs)}
    (folder / _MARK).write_text(json.dumps(mark) + "\n", encoding="utf-8")
    folder.chmod(0o755)  # a temporary folder is its maker's alone


def _write_metadata(path: Path, designs: tuple[Design, ...]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("file", "name", *ATTRIBUTES))
        for design in designs:
            facts = (getattr(design, each) for each in ("name", *ATTRIBUTES))
            writer.writerow((design.file, *facts))


def _put_in_place(fresh: Path, folder: Path) -> None:
    """Move the finished catalogue to its place; what was there is moved away first, then deleted.

    Two processes may draw at the same time: the first to finish wins, the other's work is dropped.
    """
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as old:
        if folder.exists() and not is_complete(folder):
            folder.replace(Path(old) / "replaced")
        try:
            fresh.replace(folder)
        except OSError:
            if not is_complete(folder):
                raise

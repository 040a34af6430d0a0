"""Labelled sets that people upload or make (`eval.sets.own`), kept in the data folder."""

import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from cir.errors import UsageError
from eval.sets.formats.native import load_native
from eval.sets.zips import read_zip, shallowest

QUERIES = "queries.jsonl"
MAX_BYTES = 32 * 2**20
"""Of an uploaded set's files together. FashionIQ's whole validation split has 2 MB."""
MAX_SETS = 100

_FOLDER = "labelled_sets"


def sets_dir(data_dir: Path) -> Path:
    """Folder of the kept sets."""
    return data_dir / _FOLDER


def kept_sets(data_dir: Path) -> dict[str, Path]:
    """Name and folder of each set that is kept, by name."""
    found = sorted(sets_dir(data_dir).glob(f"*/{QUERIES}"))
    return {path.parent.name: path.parent for path in found if path.parent.name[0] != "."}


def check_room(data_dir: Path) -> None:
    """Refuse one more set where there are too many.

    Raises:
        UsageError: there are `MAX_SETS`.
    """
    if len(kept_sets(data_dir)) >= MAX_SETS:
        raise UsageError(f"There are {MAX_SETS} labelled sets: remove some first.")


def safe_name(name: str) -> str:
    """The name as a file name on every system; empty where nothing of it is left."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60]


def check_set(folder: Path) -> None:
    """Read every split of a set that is not in its place yet.

    Raises:
        UsageError: something is wrong; files are named without the folder, which is a passing one.
    """
    try:
        for split in sorted((folder / "qrels").glob("*.tsv")):
            load_native(folder, split.stem)
    except UsageError as error:
        raise UsageError(str(error).replace(f"{folder}/", "")) from error


def keep_set(files: Sequence[tuple[str, bytes]], data_dir: Path) -> Path:
    """Check an uploaded labelled set and keep it; the same set is kept once.

    Args:
        files: name and content of each uploaded file: a zip that holds `queries.jsonl` and
            `qrels/`, or these files themselves.
        data_dir: the data folder.

    Returns:
        The set's folder.

    Raises:
        UsageError: it is no labelled set, or too large, or there are too many. Nothing is kept.
    """
    name, content = _content(files)
    check_room(data_dir)
    place = sets_dir(data_dir)
    partial = place / f".partial-{secrets.token_hex(6)}"
    try:
        _write(content, partial)
        check_set(partial)
        return _put_in_place(partial, place, name)
    except OSError as error:
        raise UsageError(
            f"The labelled set cannot be kept in {place} ({error.strerror or error})."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _content(files: Sequence[tuple[str, bytes]]) -> tuple[str, dict[str, bytes]]:
    """A safe name, and the content of the set's files by the place they get."""
    if len(files) == 1 and files[0][0].lower().endswith(".zip"):
        name, data = files[0]
        members = read_zip(name, data, _is_wanted, MAX_BYTES)
        top = shallowest(members, QUERIES)
        base = top.parent if top else PurePosixPath()
        content = {
            _place(path): data
            for path, data in members.items()
            if path == top or path.parent == base / "qrels"
        }
        stem = base.name or PurePosixPath(name).stem
    else:
        if sum(len(data) for _, data in files) > MAX_BYTES:
            raise UsageError(f"The files hold more than {MAX_BYTES // 2**20} MB together.")
        content = {_place(path): data for path, data in files if _is_wanted(PurePosixPath(path))}
        stem = "uploaded"
    if QUERIES not in content or len(content) < 2:
        raise UsageError(
            "This is no labelled set: upload a zip that holds queries.jsonl and qrels/test.tsv, or "
            "these two files together."
        )
    return safe_name(stem) or "uploaded", content


def _is_wanted(path: PurePosixPath) -> bool:
    return path.name == QUERIES or path.suffix == ".tsv"


def _place(path: PurePosixPath | str) -> str:
    """Where a file of the set goes, whatever folder it came in: nothing of that is kept."""
    name = PurePosixPath(path).name
    if name == QUERIES:
        return name
    return f"qrels/{safe_name(PurePosixPath(name).stem) or 'test'}.tsv"


def _write(content: Mapping[str, bytes], folder: Path) -> None:
    (folder / "qrels").mkdir(parents=True)
    for path, data in content.items():
        (folder / path).write_bytes(data)


def _put_in_place(partial: Path, place: Path, name: str) -> Path:
    for number in range(1, MAX_SETS + 2):
        folder = place / (name if number == 1 else f"{name}-{number}")
        if not folder.exists():
            return partial.rename(folder)
        if _files(folder) == _files(partial):
            return folder
    raise UsageError(f"There are too many labelled sets named {name}: rename the file.")


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }

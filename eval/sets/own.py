"""Labelled sets that people make from their searches: queries are added, sets come and go as zips.

They are native sets in the data folder, beside the uploaded ones (`eval.sets.kept`), and can be run
at once. Each query that is added here says in the key `index` where it was asked, so that no set
names images of two indexes.
"""

import csv
import io
import json
import secrets
import shutil
import threading
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cir.access import refuse_change
from cir.errors import RecomposeError, UsageError
from cir.settings import Settings
from eval.sets.formats.native import DEFAULT_SPLIT, HEADER, load_native
from eval.sets.kept import (
    MAX_BYTES,
    QUERIES,
    check_room,
    check_set,
    keep_set,
    kept_sets,
    safe_name,
    sets_dir,
)
from eval.sets.labelled import LabelledSet

_WRITING = threading.Lock()


@dataclass(frozen=True)
class NewQuery:
    """A composed query that somebody has asked, with the targets that were marked.

    Attributes:
        index: name of the index.
        reference: path of the reference image in the index.
        instruction: what should change.
        targets: paths of the targets in the index.
        group: "" for none.
    """

    index: str
    reference: str
    instruction: str
    targets: tuple[str, ...]
    group: str = ""


@dataclass(frozen=True)
class Added:
    """What became of a query: the set's name, its number of queries, how many targets are new."""

    name: str
    queries: int
    new_query: bool
    new_targets: int


def add_query(name: str, query: NewQuery, settings: Settings) -> Added:
    """Add a query to a kept set, which is made where there is none of this name.

    A query that is in the set already, by its reference and instruction, gets the targets that it
    lacks. Nothing is written unless the set can be read afterwards.

    Args:
        name: of the set; characters that a file name cannot have become "-".
        query: what to add.
        settings: of the person who asks.

    Raises:
        ReadOnlyError: this Recompose, or this person's session, is read-only.
        UsageError: the query lacks something, or the set is of another index, damaged or too large.
        RecomposeError: the disk refuses.
    """
    refuse_change(settings.read_only)
    _check(query)
    chosen = safe_name(name)
    if not chosen:
        raise UsageError("Give the labelled set a name of letters and digits.")
    folder = sets_dir(settings.data_dir) / chosen
    partial = folder.with_name(f".partial-{secrets.token_hex(6)}")
    try:
        with _WRITING:
            return _add(folder, partial, query, settings.data_dir)
    except OSError as error:
        raise RecomposeError(
            f"The labelled set {chosen} cannot be written ({error.strerror or error})."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def import_set(files: Sequence[tuple[str, bytes]], settings: Settings) -> str:
    """Keep an uploaded set, for example an exported one; gives its name. Raises as `keep_set`."""
    refuse_change(settings.read_only)
    with _WRITING:
        return keep_set(files, settings.data_dir).name


def export_set(name: str, data_dir: Path) -> bytes:
    """A zip of a kept set, which `import_set` and every reader of BEIR's layout take.

    Raises:
        UsageError: there is no such set.
        RecomposeError: it cannot be read.
    """
    folder = kept_sets(data_dir).get(name)
    if folder is None:
        raise UsageError(f"There is no labelled set {name!r}.")
    buffer = io.BytesIO()
    try:
        with _WRITING, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in [folder / QUERIES, *sorted((folder / "qrels").glob("*.tsv"))]:
                archive.write(path, f"{name}/{path.relative_to(folder).as_posix()}")
    except OSError as error:
        raise RecomposeError(f"{name} cannot be read ({error.strerror or error}).") from error
    return buffer.getvalue()


def _check(query: NewQuery) -> None:
    if not query.instruction.strip():
        raise UsageError("The query has no instruction: say what should be different.")
    if not query.targets:
        raise UsageError("No target is marked: tick the results that are right answers.")
    if query.reference in query.targets:
        raise UsageError(
            "The reference image is marked as a target; it is removed from the rankings, so it "
            "would never be found. Take its mark away."
        )


def _add(folder: Path, partial: Path, query: NewQuery, data_dir: Path) -> Added:
    is_new = not folder.exists()
    if is_new:
        check_room(data_dir)
        (partial / "qrels").mkdir(parents=True)
        (partial / QUERIES).touch()
        labelled, split = None, DEFAULT_SPLIT
        header = _tsv([HEADER])
        (partial / "qrels" / f"{split}.tsv").write_text(header, encoding="utf-8")
    else:
        labelled = load_native(folder)
        split = labelled.split
        shutil.copytree(folder, partial)
    known, query_id = _place(partial / QUERIES, query, labelled, folder.name)
    fresh = [path for path in dict.fromkeys(query.targets) if path not in known]
    count = (len(labelled.queries) if labelled else 0) + (not known)
    if known and not fresh:
        return Added(folder.name, count, new_query=False, new_targets=0)
    if not known:
        _append(partial / QUERIES, json.dumps(_record(query_id, query), ensure_ascii=False) + "\n")
    _append(partial / "qrels" / f"{split}.tsv", _tsv([query_id, path, "1"] for path in fresh))
    check_set(partial)
    if sum(path.stat().st_size for path in partial.rglob("*") if path.is_file()) > MAX_BYTES:
        raise UsageError(f"{folder.name} would be larger than {MAX_BYTES // 2**20} MB.")
    if is_new:
        partial.rename(folder)
    else:
        _replace(partial, folder, [QUERIES, f"qrels/{split}.tsv"])
    return Added(folder.name, count, new_query=not known, new_targets=len(fresh))


def _place(
    queries: Path, query: NewQuery, labelled: LabelledSet | None, name: str
) -> tuple[set[str], str]:
    """The targets that the set has for this query already, and the query's id."""
    records = [json.loads(line) for line in _lines(queries)]
    other = next((r["index"] for r in records if r.get("index", query.index) != query.index), None)
    if other is not None:
        raise UsageError(
            f"{name} holds queries of the index {other!r}; this one was asked in {query.index!r}. "
            "Name another set: the images of both are not in one gallery."
        )
    asked = (query.reference, query.instruction.strip())
    for each in labelled.queries if labelled else ():
        if (each.reference, each.instruction.strip()) == asked:
            return set(each.targets), each.id
    # Native sets share their queries between splits: an id may be taken by another split.
    taken = {record["_id"] for record in records}
    number = len(records) + 1
    while f"q{number}" in taken:
        number += 1
    return set(), f"q{number}"


def _record(query_id: str, query: NewQuery) -> dict[str, Any]:
    group = {"group": query.group.strip()} if query.group.strip() else {}
    text = query.instruction.strip()
    return {"_id": query_id, "image": query.reference, "text": text, **group, "index": query.index}


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]


def _tsv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(rows)
    return text.getvalue()


def _append(path: Path, text: str) -> None:
    """Add text that begins on a line of its own.

    Raises:
        UsageError: a file's name in it is not UTF-8.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            "An image's file name is not UTF-8, which a labelled set cannot hold: rename the file."
        ) from error
    before = path.read_bytes()
    gap = b"" if not before or before.endswith(b"\n") else b"\n"
    path.write_bytes(before + gap + data)


def _replace(partial: Path, folder: Path, names: Sequence[str]) -> None:
    """Put the files into the set one after the other; where one fails, all are as before."""
    before = {name: (folder / name).read_bytes() for name in names}
    done: list[str] = []
    try:
        for name in names:
            (partial / name).replace(folder / name)
            done.append(name)
    except OSError:
        for name in done:
            (folder / name).write_bytes(before[name])
        raise

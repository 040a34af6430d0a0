"""Labelled sets of people's own in the data folder: uploaded whole, or made from their searches.

Queries are added one by one; sets come and go as zips. Each query that is added here says in the
key `index` where it was asked, so that no set names images of two indexes.
"""

import csv
import io
import json
import re
import secrets
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cir.access import refuse_change
from cir.errors import RecomposeError, UsageError
from cir.indexing.archives import read_zip, shallowest
from cir.settings import Settings
from eval.sets.formats.native import (
    DEFAULT_SPLIT,
    HEADER,
    headed_qrels,
    load_native,
    read_records,
    tsv,
)
from eval.sets.labelled import LabelledQuery, LabelledSet
from eval.sets.trec import trec_id

QUERIES = "queries.jsonl"
MAX_BYTES = 32 * 2**20
"""Of an uploaded set's files together. FashionIQ's whole validation split has 2 MB."""
MAX_SETS = 100

_FOLDER = "labelled_sets"
_REFERENCE_IS_TARGET = (
    "The reference image is marked as a target; it is removed from the rankings, so it would never "
    "be found. Take its mark away."
)


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
        _head_qrels(partial)
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
        negatives: paths of the images that were looked at and are no targets; they are kept with
            the score 0. One that is marked as a target, or is the reference, is none.
    """

    index: str
    reference: str
    instruction: str
    targets: tuple[str, ...]
    group: str = ""
    negatives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Added:
    """What became of a query: the set, its number of queries, how many judgements are new."""

    name: str
    queries: int
    new_query: bool
    new_targets: int
    new_negatives: int = 0


def add_query(name: str, query: NewQuery, settings: Settings) -> Added:
    """Add a query to a kept set, which is made where there is none of this name.

    A query that is in the set already, by its reference and instruction, gets the judgements that
    it lacks; an image that was judged to be no target and is marked now becomes one. Nothing is
    written unless the set can be read afterwards.

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
    """A zip of a kept set, which `import_set` and BEIR's own loader take.

    Beside the set's own files it holds `corpus.jsonl`, the images that the set names (the gallery
    is not known here), and for each split `qrels/<split>.trec` in TREC's four columns, with ids
    and paths as `trec_id` gives them: as in a run's TREC files.

    Raises:
        UsageError: there is no such set, or it is damaged.
        RecomposeError: it cannot be read.
    """
    folder = kept_sets(data_dir).get(name)
    if folder is None:
        raise UsageError(f"There is no labelled set {name!r}.")
    try:
        with _WRITING:
            content = _exported(folder)
    except OSError as error:
        raise RecomposeError(f"{name} cannot be read ({error.strerror or error}).") from error
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in content.items():
            archive.writestr(f"{name}/{path}", text)
    return buffer.getvalue()


def _exported(folder: Path) -> dict[str, str]:
    queries = (folder / QUERIES).read_text(encoding="utf-8-sig")
    # BEIR's loader takes no blank line.
    content = {QUERIES: "".join(f"{line}\n" for line in queries.split("\n") if line.strip())}
    images = [str(record["image"]) for record in read_records(folder)]
    for path in sorted((folder / "qrels").glob("*.tsv")):
        text = headed_qrels(path)
        _, *rows = csv.reader(io.StringIO(text, newline=""), delimiter="\t")
        images += [image for _, image, _ in rows]
        content[f"qrels/{path.name}"] = text
        content[f"qrels/{path.stem}.trec"] = "".join(
            f"{trec_id(query_id)} 0 {trec_id(image)} {score}\n" for query_id, image, score in rows
        )
    corpus = ({"_id": image, "title": "", "text": ""} for image in dict.fromkeys(images))
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in corpus)
    return content | {"corpus.jsonl": "".join(lines)}


def _check(query: NewQuery) -> None:
    if not query.instruction.strip():
        raise UsageError("The query has no instruction: say what should be different.")
    if not query.targets:
        raise UsageError("No target is marked: tick the results that are right answers.")
    if query.reference in query.targets:
        raise UsageError(_REFERENCE_IS_TARGET)


def _add(folder: Path, partial: Path, query: NewQuery, data_dir: Path) -> Added:
    is_new = not folder.exists()
    if is_new:
        check_room(data_dir)
        (partial / "qrels").mkdir(parents=True)
        (partial / QUERIES).touch()
        labelled, split = None, DEFAULT_SPLIT
        header = tsv([HEADER])
        (partial / "qrels" / f"{split}.tsv").write_text(header, encoding="utf-8")
    else:
        labelled = load_native(folder)
        split = labelled.split
        shutil.copytree(folder, partial)
        _head_qrels(partial)
    held, query_id = _held(partial / QUERIES, query, labelled, folder.name)
    known = set(held.targets) if held else set()
    fresh = [path for path in dict.fromkeys(query.targets) if path not in known]
    judged = {*known, *fresh, query.reference, *(held.negatives if held else ())}
    out = [path for path in dict.fromkeys(query.negatives) if path not in judged]
    count = (len(labelled.queries) if labelled else 0) + (held is None)
    if held and not fresh and not out:
        return Added(folder.name, count, new_query=False, new_targets=0)
    if held is None:
        _append(partial / QUERIES, json.dumps(_record(query_id, query), ensure_ascii=False) + "\n")
    qrels = partial / "qrels" / f"{split}.tsv"
    if held and set(fresh) & set(held.negatives):
        _keep_rows(qrels, lambda row: row[0] != query_id or row[1] not in fresh)
    scores = {**dict.fromkeys(fresh, "1"), **dict.fromkeys(out, "0")}
    _append(qrels, tsv((query_id, path, score) for path, score in scores.items()))
    _check_written(partial, folder.name)
    if is_new:
        partial.rename(folder)
    else:
        _replace(partial, folder, [QUERIES, f"qrels/{split}.tsv"])
    return Added(
        folder.name,
        count,
        new_query=held is None,
        new_targets=len(fresh),
        new_negatives=len(out),
    )


def change_query(
    name: str,
    query_id: str,
    settings: Settings,
    *,
    instruction: str | None = None,
    group: str | None = None,
    judged: Mapping[str, bool] | None = None,
) -> None:
    """Change a query of a kept set; what is not named stays.

    Args:
        name: of the set.
        query_id: of the query.
        settings: of the person who asks.
        instruction: the new one.
        group: the new one; "" for none.
        judged: path -> whether the image is a target; others stay as they are judged.

    Raises:
        ReadOnlyError: this Recompose, or this person's session, is read-only.
        UsageError: there is no such set or query, or the set could not be read afterwards: a query
            keeps a target, for example. Nothing is changed then.
        RecomposeError: the disk refuses.
    """
    if instruction is not None and not instruction.strip():
        raise UsageError("The query has no instruction: say what should be different.")

    def change(partial: Path, split: str) -> None:
        records = read_records(partial)
        for record in records:
            if record["_id"] == query_id:
                if (judged or {}).get(record["image"]):
                    raise UsageError(_REFERENCE_IS_TARGET)
                if instruction is not None:
                    record["text"] = instruction.strip()
                if group is not None:
                    record["group"] = group.strip()
        _write_records(partial / QUERIES, records)
        if judged:
            qrels = partial / "qrels" / f"{split}.tsv"
            _keep_rows(qrels, lambda row: row[0] != query_id or row[1] not in judged)
            _append(qrels, tsv((query_id, path, int(good)) for path, good in judged.items()))

    _edit(name, query_id, settings, change)


def second_name(name: str) -> str:
    """Name of the set that a second annotator's judgements of a set are kept in."""
    return f"{name[:50]}-second"


def judge_apart(name: str, query_id: str, judged: Mapping[str, bool], settings: Settings) -> Added:
    """Keep a second annotator's judgements of a query in a set beside that of the first.

    Args:
        name: of the first annotator's set; the other is `second_name` of it.
        query_id: of the query in that set.
        judged: path -> whether the image is a target.
        settings: of the person who asks.

    Raises:
        ReadOnlyError: this Recompose, or this person's session, is read-only.
        UsageError: there is no such set or query, or no image is a target.
        RecomposeError: the disk refuses.
    """
    folder = kept_sets(settings.data_dir).get(name)
    if folder is None:
        raise UsageError(f"There is no labelled set {name!r}.")
    record = next((each for each in read_records(folder) if each["_id"] == query_id), None)
    if record is None:
        raise UsageError(f"{name} has no query {query_id!r}: it may have been removed.")
    return add_query(
        second_name(name),
        NewQuery(
            index=record.get("index", ""),
            reference=record["image"],
            instruction=record["text"],
            targets=tuple(path for path, good in judged.items() if good),
            group=record.get("group") or "",
            negatives=tuple(path for path, good in judged.items() if not good),
        ),
        settings,
    )


def remove_query(name: str, query_id: str, settings: Settings) -> None:
    """Take a query and its judgements out of a kept set. Raises as `change_query`.

    The last query stays: a set without queries is deleted as a whole.
    """

    def remove(partial: Path, split: str) -> None:
        records = [each for each in read_records(partial) if each["_id"] != query_id]
        if not records:
            raise UsageError(f"{query_id} is the only query of {name}: delete the set.")
        _write_records(partial / QUERIES, records)
        for path in (partial / "qrels").glob("*.tsv"):
            _keep_rows(path, lambda row: row[0] != query_id)

    _edit(name, query_id, settings, remove)


def _edit(
    name: str, query_id: str, settings: Settings, change: Callable[[Path, str], None]
) -> None:
    """Change a copy of a set, check it, and put it in the set's place."""
    refuse_change(settings.read_only)
    folder = kept_sets(settings.data_dir).get(name)
    if folder is None:
        raise UsageError(f"There is no labelled set {name!r}.")
    partial = folder.with_name(f".partial-{secrets.token_hex(6)}")
    try:
        with _WRITING:
            labelled = load_native(folder)
            if query_id not in {query.id for query in labelled.queries}:
                raise UsageError(f"{name} has no query {query_id!r}: it may have been removed.")
            shutil.copytree(folder, partial)
            _head_qrels(partial)
            change(partial, labelled.split)
            _check_written(partial, name)
            qrels = [f"qrels/{path.name}" for path in sorted((partial / "qrels").glob("*.tsv"))]
            _replace(partial, folder, [QUERIES, *qrels])
    except OSError as error:
        raise RecomposeError(
            f"The labelled set {name} cannot be written ({error.strerror or error})."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_written(partial: Path, name: str) -> None:
    check_set(partial)
    if sum(path.stat().st_size for path in partial.rglob("*") if path.is_file()) > MAX_BYTES:
        raise UsageError(f"{name} would be larger than {MAX_BYTES // 2**20} MB.")


def _held(
    queries: Path, query: NewQuery, labelled: LabelledSet | None, name: str
) -> tuple[LabelledQuery | None, str]:
    """The query as the set has it already, and its id there."""
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
            return each, each.id
    # Native sets share their queries between splits: an id may be taken by another split.
    taken = {record["_id"] for record in records}
    number = len(records) + 1
    while f"q{number}" in taken:
        number += 1
    return None, f"q{number}"


def _record(query_id: str, query: NewQuery) -> dict[str, Any]:
    group = {"group": query.group.strip()} if query.group.strip() else {}
    text = query.instruction.strip()
    return {"_id": query_id, "image": query.reference, "text": text, **group, "index": query.index}


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]


def _write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8")


def _head_qrels(folder: Path) -> None:
    """Give each qrels file the header, below which queries are added and taken out."""
    for path in (folder / "qrels").glob("*.tsv"):
        path.write_text(headed_qrels(path), encoding="utf-8", newline="")


def _keep_rows(path: Path, kept: Callable[[Sequence[str]], bool]) -> None:
    """Leave only some rows below the header of a qrels file."""
    text = io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")
    header, *rows = [row for row in csv.reader(text, delimiter="\t") if row]
    path.write_text(tsv([header, *filter(kept, rows)]), encoding="utf-8")


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

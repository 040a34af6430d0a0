"""The native format, BEIR's layout: `queries.jsonl` beside `qrels/<split>.tsv`.

`queries.jsonl` holds one object a line: `_id`, `image` (the reference image, a path relative to
the gallery folder), `text` (the instruction) and, if wanted, `group`, and `wording_of`, the `_id`
of the query of which this is another wording; further keys are left alone. A qrels file is
tab-separated with the header `query-id corpus-id score`; a score above 0 marks a target, 0 an
image judged not to be one. As in BEIR's own reader, a field that holds a tab, a line break or a
leading quote is written in double quotes, with inner quotes doubled. Without the header, three
columns of which the third is a number are read, too, and TREC's four (`query-id 0 path score`,
parted by tabs or blanks, ids as they stand).

As BEIR has it, all splits share one `queries.jsonl`; the qrels file says which queries are run.
Layout: https://github.com/beir-cellar/beir/wiki/Load-your-custom-dataset
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cir.errors import UsageError
from eval.errors import BenchWayOut
from eval.measures import MEASURES, AveragePrecision, DiscountedGain, RecallFraction
from eval.sets.formats import Format
from eval.sets.formats.annotations import unique_keys
from eval.sets.labelled import LabelledQuery, LabelledSet, Protocol

DEFAULT_SPLIT = "test"
HEADER = ["query-id", "corpus-id", "score"]
_NAMED = 5
_TREC_COLUMNS = 4
_HIGHEST = 2**31 - 1
"""The highest grade: other tools hold it in 32 bits."""

# What one qrels file says: query id -> image path -> (score, place in the file).
_Judgements = dict[str, dict[str, tuple[int, str]]]


def load_native(folder: Path, split: str | None = None) -> LabelledSet:
    """The labelled set in a folder.

    Args:
        folder: holds `queries.jsonl` and `qrels/`.
        split: name of the qrels file without its ending; None takes `test`, or the only one.

    Raises:
        UsageError: something is missing, malformed, doubled, or without judgement; the message
            names file and line. Nothing is left out silently.
    """
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {folder}: name the one that holds queries.jsonl and qrels/."
        )
    queries_file = folder / "queries.jsonl"
    qrels_file = _qrels_file(folder / "qrels", split)
    queries_text, qrels_text = _read_text(queries_file), _read_text(qrels_file)
    records = _read_queries(queries_file, queries_text)
    judgements = _read_qrels(qrels_file, qrels_text)
    _check_judged(records, judgements, queries_file, qrels_file)
    queries = tuple(
        _query(query_id, *record, judgements[query_id], qrels_file)
        for query_id, record in records.items()
        if query_id in judgements
    )
    if not queries:
        raise UsageError(f"{qrels_file} judges no query: add a line for each target.")
    _check_wordings(queries)
    digest = hashlib.sha256(f"{queries_text}\0{qrels_text}".encode()).hexdigest()
    name = folder.resolve().name or "set"
    return LabelledSet(name, qrels_file.stem, queries, digest, FORMAT)


def read_records(folder: Path) -> list[dict[str, Any]]:
    """The objects of a set's `queries.jsonl`, with the keys that `load_native` leaves alone.

    Raises:
        UsageError: as `load_native`.
    """
    path = folder / "queries.jsonl"
    return [dict(record) for record, _ in _read_queries(path, _read_text(path)).values()]


def write_native(
    folder: Path,
    records: Iterable[Mapping[str, Any]],
    judged: Iterable[tuple[str, str, int]],
    split: str = DEFAULT_SPLIT,
) -> None:
    """Write a set that `load_native` reads, into a folder that is not there yet.

    Args:
        folder: of the set.
        records: the objects of `queries.jsonl`.
        judged: query id, image and score of each judgement.
        split: name of the qrels file.

    Raises:
        OSError: the disk refuses.
    """
    (folder / "qrels").mkdir(parents=True)
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    (folder / "queries.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "qrels" / f"{split}.tsv").write_text(tsv([HEADER, *judged]), encoding="utf-8")


def tsv(rows: Iterable[Sequence[object]]) -> str:
    """Rows as lines of a qrels file."""
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(rows)
    return text.getvalue()


def headed_qrels(path: Path) -> str:
    """The text of a qrels file with BEIR's header, of which BEIR's own reader skips any first line.

    A file that has the header and no blank line comes back as it stands.

    Raises:
        UsageError: as `load_native`.
    """
    text = _read_text(path)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t"))
    if rows[:1] == [HEADER] and all(rows):
        return text
    return tsv([HEADER, *(fields for _, fields in _rows(path, text))])


def _qrels_file(folder: Path, split: str | None) -> Path:
    found = {path.stem: path for path in sorted(folder.glob("*.tsv"))}
    if split is None and DEFAULT_SPLIT not in found and len(found) == 1:
        return next(iter(found.values()))
    wanted = split or DEFAULT_SPLIT
    if wanted in found:
        return found[wanted]
    if not found:
        raise UsageError(f"There are no judgements: {folder / (wanted + '.tsv')} is missing.")
    raise UsageError(
        f"{folder} has no split {wanted!r}, only {', '.join(found)}.", BenchWayOut.OTHER_SPLIT
    )


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"There is no file {path}.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error}).") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}, line {line}: not UTF-8 text. Save it as UTF-8.") from error


def _read_queries(path: Path, text: str) -> dict[str, tuple[Mapping[str, Any], str]]:
    """Query id -> its record and its place in the file."""
    records: dict[str, tuple[Mapping[str, Any], str]] = {}
    # Only "\n" ends a line of JSONL: `splitlines` would also cut at U+2028 inside a text.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        record = _json_object(line, place)
        query_id = _text(record, "_id", place)
        if query_id in records:
            raise UsageError(f"{place}: the query {query_id!r} stands in {records[query_id][1]}.")
        records[query_id] = (record, place)
    if not records:
        raise UsageError(f"{path} holds no query.")
    return records


def _json_object(line: str, place: str) -> Mapping[str, Any]:
    try:
        record = json.loads(line, object_pairs_hook=unique_keys(place))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{place}: not JSON ({error}).") from error
    if not isinstance(record, dict):
        raise UsageError(f"{place}: not a JSON object with _id, image and text.")
    return record


def _text(record: Mapping[str, Any], key: str, place: str, *, empty: bool = False) -> str:
    if key not in record:
        raise UsageError(f"{place}: {key!r} is missing.")
    value = record[key]
    if not isinstance(value, str):
        raise UsageError(f"{place}: {key!r} is {json.dumps(value)[:40]}, not a text in quotes.")
    if not value.strip() and not empty:
        raise UsageError(f"{place}: {key!r} is empty.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{place}: {key!r} holds half of a surrogate pair.") from error
    return value


def _query(
    query_id: str,
    record: Mapping[str, Any],
    place: str,
    judged: Mapping[str, tuple[int, str]],
    qrels_file: Path,
) -> LabelledQuery:
    reference = _text(record, "image", place)
    targets = {path: score for path, (score, _) in judged.items() if score > 0}
    if not targets:
        raise UsageError(
            f"{place}: the query {query_id!r} has no target, its scores in {qrels_file} are all 0."
        )
    return LabelledQuery(
        id=query_id,
        reference=reference,
        instruction=_text(record, "text", place, empty=True),
        targets=targets,
        group="" if record.get("group") is None else _text(record, "group", place, empty=True),
        places={path: judged[path][1] for path in targets} | {reference: place},
        negatives=tuple(path for path, (score, _) in judged.items() if score == 0),
        wording_of=_text(record, "wording_of", place) if record.get("wording_of") else "",
    )


def _check_wordings(queries: Sequence[LabelledQuery]) -> None:
    """A wording is of a query of the same reference image, which is no wording itself."""
    known = {query.id: query for query in queries}
    for query in queries:
        first = known.get(query.wording_of)
        if not query.wording_of:
            continue
        place = query.places[query.reference]
        if first is None or first.wording_of:
            what = "is itself a wording" if first else "is no query of this split"
            raise UsageError(f"{place}: {query.wording_of!r}, in 'wording_of', {what}.")
        if first.reference != query.reference:
            raise UsageError(
                f"{place}: a wording of {query.wording_of!r}, which has another reference image."
            )


def _read_qrels(path: Path, text: str) -> _Judgements:
    judgements: _Judgements = {}
    for place, (query_id, image, score) in _rows(path, text):
        judged = judgements.setdefault(query_id, {})
        if image in judged:
            raise UsageError(f"{place}: repeats query and image of {judged[image][1]}.")
        judged[image] = (_score(score, place), place)
    return judgements


def _rows(path: Path, text: str) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Place and fields of each judgement; the first line tells which layout the file has."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
    fields: Callable[[list[str]], list[str]] | None = None
    try:
        for row in reader:
            place = f"{path}, line {reader.line_num}"
            if not row:
                continue
            if fields is None:
                if [field.strip() for field in row] == HEADER:
                    fields = list
                    continue
                fields = _layout(row, place)
            found = fields(row)
            if len(found) != len(HEADER) or not all(found):
                what = "query, 0, image and score, as in line 1"
                if fields is list:
                    what = f"three tab-separated fields {', '.join(HEADER)}"
                raise UsageError(f"{place}: not {what}.")
            yield place, (found[0], found[1], found[2])
    except csv.Error as error:
        raise UsageError(
            f"{path}, line {reader.line_num}: {error}. A field that begins with a double quote "
            "stands in double quotes, with the inner ones doubled."
        ) from error


def _layout(first: list[str], place: str) -> Callable[[list[str]], list[str]]:
    """What makes query, image and score of a row, where the file has no header."""
    for fields in (list, _trec_fields):
        found = fields(first)
        if len(found) == len(HEADER) and found[-1].strip().lstrip("-").isdecimal():
            return fields
    raise UsageError(
        f"{place}: the first line must be {', '.join(HEADER)}, tab-separated, or a judgement: "
        "query, image and a number, or TREC's query, 0, image and a number."
    )


def _trec_fields(row: list[str]) -> list[str]:
    parts = row if len(row) == _TREC_COLUMNS else " ".join(row).split()
    return [parts[0], *parts[2:]] if len(parts) == _TREC_COLUMNS else []


def _score(text: str, place: str) -> int:
    try:
        score = int(text)
    except ValueError as error:
        raise UsageError(f"{place}: the score {text[:40]!r} is not a whole number.") from error
    if score < 0:
        raise UsageError(f"{place}: the score {text[:40]!r} is below 0.")
    if score > _HIGHEST:
        raise UsageError(f"{place}: the score {text[:40]!r} is above {_HIGHEST}.")
    return score


def _check_judged(
    records: Mapping[str, tuple[Mapping[str, Any], str]],
    judgements: _Judgements,
    queries_file: Path,
    qrels_file: Path,
) -> None:
    """Every judgement has its query, and every query a judgement in this split or another."""
    for query_id, judged in judgements.items():
        if query_id not in records:
            place = next(iter(judged.values()))[1]
            raise UsageError(f"{place}: there is no query {query_id!r} in {queries_file}.")
    unjudged = [query_id for query_id in records if query_id not in judgements]
    if not unjudged:
        return
    elsewhere: set[str] = set()
    for other in sorted(qrels_file.parent.glob("*.tsv")):
        if other != qrels_file:
            elsewhere.update(_read_qrels(other, _read_text(other)))
    left = [query_id for query_id in unjudged if query_id not in elsewhere]
    if left:
        some = ", ".join(f"{query_id!r} in {records[query_id][1]}" for query_id in left[:_NAMED])
        raise UsageError(
            f"Queries without a judgement in {qrels_file} or another split: {len(left)} ({some}). "
            "Add their targets or take the queries out."
        )


FORMAT = Format(
    title="native",
    names=("native",),
    protocol=Protocol(
        measures=(
            *MEASURES,
            *(RecallFraction(k) for k in (5, 10, 50)),
            *(AveragePrecision(k) for k in (5, 10, 50)),
            *(DiscountedGain(k) for k in (5, 10, 50)),
        )
    ),
    load=lambda name, root, split, options: load_native(root, split),
)

"""Rankings in files: those that some system wrote, and those of a run for a test server.

A file is a TREC run, or the submission file of the set's benchmark, see `eval.sets.formats`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cir.errors import RecomposeError, UsageError
from eval.errors import BenchWayOut
from eval.runs.ranks import COMPOSED
from eval.runs.reading import Run
from eval.runs.writing import SUBSET, plain_id
from eval.sets.formats import Format, Rankings, find_format, formats, read_lists
from eval.sets.formats.annotations import parse_json
from eval.sets.labelled import LabelledSet

_FIELDS = 6


def read_rankings(path: Path, labelled: LabelledSet) -> Rankings:
    """The rankings of a file, with the set's own ids.

    Raises:
        UsageError: it cannot be read, is malformed, ranks an image of a query twice, or ranks for a
            query that the set does not have. The message names the line or the query.
    """
    data = _read(path)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}:
        read = labelled.format.read_submission if labelled.format else read_lists
        given = read(path, parse_json(data, str(path)), labelled)
    else:
        given = Rankings(_parse_trec(path, data))
    if not given.by_query:
        raise UsageError(f"{path} holds no ranking.")
    return replace(given, by_query=checked_rankings(given.by_query, labelled, str(path)))


def read_trec(path: Path) -> dict[str, list[str]]:
    """Query id -> images of a TREC run file, best first.

    Ordered as trec_eval does, whatever the ranks in the file say: by score, equal ones by id, the
    larger first.

    Raises:
        UsageError: it cannot be read or is malformed; the line is named.
    """
    return _parse_trec(path, _read(path))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error}).") from error


def _parse_trec(path: Path, data: bytes) -> dict[str, list[str]]:
    scored: dict[str, list[tuple[float, str]]] = {}
    for number, line in enumerate(data.split(b"\n"), 1):
        place = f"{path}, line {number}"
        try:
            fields = line.decode().split()
        except UnicodeDecodeError as error:
            raise UsageError(f"{place}: not UTF-8 text.") from error
        if not fields:
            continue
        if len(fields) != _FIELDS:
            raise UsageError(
                f"{place}: {len(fields)} fields, not the six of a TREC run file: "
                "query-id Q0 image rank score tag."
            )
        scored.setdefault(plain_id(fields[0]), []).append(
            (_score(fields[4], place), plain_id(fields[2]))
        )
    return {
        query: [image for _, image in sorted(pairs, reverse=True)]
        for query, pairs in scored.items()
    }


def _score(text: str, place: str) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if math.isnan(score):
        raise UsageError(f"{place}: the score {text[:40]!r} is not a number.")
    return score


def checked_rankings(
    given: Mapping[str, Sequence[str]], labelled: LabelledSet, place: str = "These rankings"
) -> dict[str, list[str]]:
    """Query id -> ranked images, best first, with the set's own ids.

    Raises:
        UsageError: an image of a query is ranked twice, or a query is not of the set; `place` says
            where.
    """
    known = {query.id for query in labelled.queries}
    found: dict[str, list[str]] = {}
    for name, ranked in given.items():
        query_id = name
        if name not in known and labelled.format is not None:
            query_id = labelled.format.query_id(name, labelled)
        if query_id not in known:
            raise UsageError(f"{place}: there is no query {name!r} in {labelled.name}.")
        if query_id in found:
            raise UsageError(f"{place}: the query {query_id!r} stands there under two names.")
        ids = [labelled.protocol.id_of(image) for image in ranked]
        if len(set(ids)) != len(ids):
            twice = next(image for at, image in enumerate(ids) if image in ids[:at])
            raise UsageError(f"{place}: the query {name!r} ranks the image {twice!r} twice.")
        found[query_id] = ids
    return found


def has_submission(run: Run) -> bool:
    """Whether the run's labelled set has a test server."""
    form = _format(run)
    return form is not None and form.write_submission is not None


def submission(run: Run, mode: str = COMPOSED) -> Mapping[str, str]:
    """The submission files of a run for its benchmark's test server: name and content.

    Raises:
        UsageError: there is no such server, or the run's rankings are not there or too short.
    """
    form = _format(run)
    if form is None or form.write_submission is None or run.folder is None:
        served = [each.title for each in formats() if each.write_submission]
        raise UsageError(
            f"{run.name} is no run of {' or '.join(served)} on disk: only these take submissions."
        )

    def ranked(path: Path) -> dict[str, list[str]]:
        id_of = form.protocol.id_of
        return {query: [*map(id_of, images)] for query, images in read_trec(path).items()}

    among = run.folder / f"{mode}.{SUBSET}.trec"
    return form.write_submission(
        ranked(run.folder / f"{mode}.trec"), ranked(among) if among.is_file() else {}
    )


def write_submission(run: Run, folder: Path) -> list[Path]:
    """Write the submission files of a run into a folder; gives their paths.

    Raises:
        UsageError: as `submission`, or a file of this name is there.
        RecomposeError: the disk refuses.
    """
    files = {folder / name: content for name, content in submission(run).items()}
    taken = [path for path in files if path.exists()]
    if taken:
        raise UsageError(f"{taken[0]} is there already.", BenchWayOut.OTHER_FOLDER)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            partial = path.with_name(f".{path.name}.partial")
            try:
                partial.write_text(content, encoding="utf-8")
                partial.rename(path)
            finally:
                partial.unlink(missing_ok=True)
    except OSError as error:
        raise RecomposeError(
            f"The submission could not be written to {folder} ({error.strerror or error})."
        ) from error
    return list(files)


def _format(run: Run) -> Format | None:
    return find_format(run.part("settings").get("format"))

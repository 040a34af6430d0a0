"""Rankings in files: those that some system wrote, and those of a run for a test server.

A file is a TREC run, or the submission file of the set's benchmark, see `eval.sets.formats`.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from functools import cache
from pathlib import Path

from cir.errors import RecomposeError, UsageError
from eval.errors import BenchWayOut
from eval.runs.ranks import COMPOSED
from eval.runs.reading import Run
from eval.runs.writing import SUBSET, plain_id
from eval.sets.formats import Format, Rankings, find_format, formats, read_lists
from eval.sets.formats.annotations import first_doubled, parse_json
from eval.sets.labelled import LabelledQuery, LabelledSet

_FIELDS = 6

Lines = Callable[[str, Callable[[str], bool]], list[int]]
"""Numbers of the lines that rank images of a query, those alone of which a function says so."""


def read_rankings(
    path: Path,
    labelled: LabelledSet,
    *,
    of_candidates: bool = False,
    allow_missing: bool = False,
) -> Rankings:
    """The rankings of a file, with the set's own ids.

    Args:
        path: the file.
        labelled: the set that was asked.
        of_candidates: whether each query's candidates alone were searched; a file may say so.
        allow_missing: as `checked_rankings` has it.

    Raises:
        UsageError: it cannot be read, is malformed, or does not fit the set, see
            `checked_rankings`. The message names the line or the query.
    """
    data = _read(path)
    lines: Lines | None = None
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}:
        read = labelled.format.read_submission if labelled.format else read_lists
        given = read(path, parse_json(data, str(path)), labelled)
    else:
        given = Rankings(_parse_trec(path, data))

        def lines(query: str, wanted: Callable[[str], bool]) -> list[int]:
            rows = enumerate(data.split(b"\n"), 1)
            fields = ((number, line.decode().split()) for number, line in rows if line.strip())
            return [
                number
                for number, (name, _, image, *_) in fields
                if plain_id(name) == query and wanted(plain_id(image))
            ]

    if not given.by_query:
        raise UsageError(f"{path} holds no ranking.")
    among = of_candidates or given.of_candidates
    checked = checked_rankings(
        given.by_query,
        labelled,
        str(path),
        of_candidates=among,
        allow_missing=allow_missing,
        lines=lines,
    )
    return Rankings(checked, of_candidates=among)


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
    given: Mapping[str, Sequence[str]],
    labelled: LabelledSet,
    place: str = "These rankings",
    *,
    of_candidates: bool = False,
    allow_missing: bool = False,
    lines: Lines | None = None,
) -> dict[str, list[str]]:
    """Query id -> ranked images, best first, with the set's own ids.

    Args:
        given: query id -> ranked images, best first, named as in the set or by their paths.
        labelled: the set that was asked.
        place: the start of a message.
        of_candidates: whether each query's candidates alone were searched.
        allow_missing: whether queries without a ranking, and rankings that hold no image that the
            set names, count as never found; else they are an error. The latter cannot be told
            from images by other names where the set does not list its gallery.
        lines: says where an image of a query stands; None where `place` says all.

    Raises:
        UsageError: an image of a query is ranked twice, a query is not of the set or has no
            ranking, or an image is none of those that were searched. The message names the first.
    """
    known = {query.id: query for query in labelled.queries}
    id_of = cache(labelled.protocol.id_of)
    found: dict[str, list[str]] = {}

    def where(name: str, image: str, nth: int = 0) -> str:
        numbers = lines(name, lambda each: id_of(each) == image) if lines else []
        return f"{place}, line {numbers[nth]}" if nth < len(numbers) else place

    for name, ranked in given.items():
        query_id = name
        if name not in known and labelled.format is not None:
            query_id = labelled.format.query_id(name, labelled)
        if query_id not in known:
            raise UsageError(f"{place}: there is no query {name!r} in {labelled.name}.")
        if query_id in found:
            raise UsageError(f"{place}: the query {query_id!r} stands there under two names.")
        ids = found[query_id] = list(map(id_of, ranked))
        distinct = set(ids)
        if len(distinct) != len(ids):
            twice = first_doubled(ids) or ""
            raise UsageError(
                f"{where(name, twice, 1)}: the query {name!r} ranks the image {twice!r} twice."
            )
        searched = _searched(labelled, known[query_id], of_candidates)
        if searched is not None and not distinct <= searched:
            other = next(image for image in ids if image not in searched)
            what = "candidates of it" if of_candidates else f"images of {labelled.name}"
            raise UsageError(
                f"{where(name, other)}: the query {name!r} ranks the image {other!r}, which is "
                f"not among the {len(searched)} {what}."
            )
    if not allow_missing:
        _check_named(labelled, given, found, place)
        _check_all_ranked(labelled, found, place)
    return found


def _searched(labelled: LabelledSet, query: LabelledQuery, of_candidates: bool) -> Set[str] | None:
    """The images that a search can find; None where they are not known."""
    if of_candidates:
        return {*query.candidates, query.reference}
    return None if labelled.gallery is None else labelled.gallery.keys()


def _check_named(
    labelled: LabelledSet,
    given: Mapping[str, Sequence[str]],
    found: Mapping[str, Sequence[str]],
    place: str,
) -> None:
    """Refuse rankings of images that have nothing to do with the set."""
    named = {
        image for query in labelled.queries for image in (query.reference, *query.targets) if image
    }
    if all(named.isdisjoint(ids) for ids in found.values()):
        first = next((image for ranked in given.values() for image in ranked), None)
        raise UsageError(
            f"{place}: no image that is ranked, for example {first!r}, is a reference or a target "
            f"of {labelled.name}, which names them like {min(named)!r}.",
            BenchWayOut.RANK_ALL,
        )


def _check_all_ranked(labelled: LabelledSet, found: Collection[str], place: str) -> None:
    missing = [query.id for query in labelled.queries if query.id not in found]
    if missing:
        raise UsageError(
            f"{place}: {len(missing)} of the {len(labelled.queries)} queries of {labelled.name} "
            f"have no ranking, the first of them {missing[0]!r}.",
            BenchWayOut.RANK_ALL,
        )


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

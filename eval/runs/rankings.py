"""Rankings in files: those that some system wrote, and those of a run for a test server.

A file is a TREC run, or the submission file of the set's benchmark, see `eval.sets.formats`.
"""

import math
from array import array
from codecs import BOM_UTF8
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

from cir.errors import RecomposeError, UsageError
from eval.errors import BenchWayOut
from eval.runs.ranks import COMPOSED
from eval.runs.reading import DOCUMENT, TABLE, Run, query_table
from eval.runs.writing import ENCODED_MARK, SUBSET
from eval.sets.formats import Format, Rankings, find_format, formats, read_lists
from eval.sets.formats.annotations import first_doubled, parse_json
from eval.sets.labelled import LabelledQuery, LabelledSet
from eval.sets.trec import plain_id

_FIELDS = 6
_RANK_DIGITS = 9
_HEAD = 4096  # bytes that tell JSON from TREC
_MARK = ENCODED_MARK.encode()
_LEAST_TELLING = 3  # queries of which it tells something that all find nothing

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
    lines: Lines | None = None
    if _is_json(path):
        read = labelled.format.read_submission if labelled.format else read_lists
        given = read(path, parse_json(_read(path), str(path)), labelled)
    else:
        by_query, contradicted = _ordered(path)
        given = Rankings(by_query, notes=_contradictions(path, contradicted))

        def lines(query: str, wanted: Callable[[str], bool]) -> list[int]:
            return [
                line for line, name, image, *_ in _records(path) if name == query and wanted(image)
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
    return replace(given, by_query=checked, of_candidates=among)


def _contradictions(path: Path, queries: Sequence[str]) -> tuple[str, ...]:
    if not queries:
        return ()
    return (
        f"{path}: the ranks of {len(queries)} queries, the first of them {queries[0]!r}, are not "
        "the order of their scores; they are ordered by score, equal ones by image, as trec_eval "
        "does.",
    )


def read_trec(path: Path) -> dict[str, list[str]]:
    """Query id -> images of a TREC run file, best first.

    Ordered as trec_eval does, whatever the ranks in the file say: by score in double precision
    (trec_eval 9 and pytrec_eval hold a score in single precision, and see ties where it rounds),
    equal ones by id, the larger first. Ids are taken as they stand, but for those that `RunWriter`
    percent-encoded: on lines that say so, and in the folder of a run, as earlier versions wrote no
    such mark.

    Raises:
        UsageError: it cannot be read or is malformed; the line is named.
    """
    return _ordered(path)[0]


def _ordered(path: Path) -> tuple[dict[str, list[str]], list[str]]:
    """The rankings of a TREC run file, and the queries of which ranks say another order."""
    columns: dict[str, tuple[array[float], list[str], array[int]]] = {}
    for line, query, image, rank, score in _records(path):
        scores, images, ranks = columns.setdefault(query, (array("d"), [], array("q")))
        try:
            value = float(score)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or b"_" in score:
            text = score[:40].decode(errors="replace")
            raise UsageError(f"{path}, line {line}: the score {text!r} is not a finite number.")
        scores.append(value)
        images.append(image)
        # Some tools write no ranks: those say nothing, and contradict nothing.
        ranks.append(int(rank) if rank.isdigit() and len(rank) <= _RANK_DIGITS else 0)
    found: dict[str, list[str]] = {}
    contradicted: list[str] = []
    for query, each in columns.items():
        best_first = sorted(zip(*each, strict=True), reverse=True)
        found[query] = [image for _, image, _ in best_first]
        if any(later < rank for (*_, rank), (*_, later) in pairwise(best_first) if later):
            contradicted.append(query)
    return found, contradicted


def _is_json(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}
    except OSError as error:
        raise _unreadable(path, error) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be read ({error.strerror or error}).")


def _records(path: Path) -> Iterator[tuple[int, str, str, bytes, bytes]]:
    """Number, query id, image, rank and score of each line of a TREC run file.

    One string an id, however often it stands there: files have millions of lines.
    """
    of_run = (path.parent / DOCUMENT).is_file()
    plain: dict[bytes, str] = {}
    decoded: dict[bytes, str] = {}
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                # A byte order mark, which some editors write, is no part of the first id.
                fields = line.removeprefix(BOM_UTF8 if number == 1 else b"").split()
                if not fields:
                    continue
                if len(fields) != _FIELDS:
                    raise UsageError(
                        f"{path}, line {number}: {len(fields)} fields, not the six of a TREC run "
                        "file: query-id Q0 image rank score tag."
                    )
                query, _, image, rank, score, tag = fields
                is_encoded = of_run or tag.endswith(_MARK)
                names = decoded if is_encoded else plain
                for name in (query, image):
                    if name not in names:
                        text = name.decode()
                        names[name] = plain_id(text) if is_encoded else text
                yield number, names[query], names[image], rank, score
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}, line {number}: not UTF-8 text.") from error
    except OSError as error:
        raise _unreadable(path, error) from error


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
    """Refuse rankings of images that have nothing to do with the set.

    Where the images that are searched are known, nothing else is ranked; and a few queries of a set
    of one's own may find nothing.
    """
    few = labelled.protocol.image_id is None and len(found) < _LEAST_TELLING
    if labelled.gallery is not None or few:
        return
    named = {
        image for query in labelled.queries for image in (query.reference, *query.targets) if image
    }
    if named and all(named.isdisjoint(ids) for ids in found.values()):
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
        UsageError: there is no such server, the run's rankings are not there or too short, or they
            are not what the server takes: every query once, the reference as the protocol has it,
            no image twice. The message names the first.
    """
    form = _format(run)
    if form is None or form.write_submission is None or run.folder is None:
        served = [each.title for each in formats() if each.write_submission]
        raise UsageError(
            f"{run.name} is no run of {' or '.join(served)} on disk: only these take submissions."
        )

    kept = run.part("settings").get("keep_reference")
    if kept is not None and kept != form.protocol.keep_reference:
        raise UsageError(
            f"{run.name} {'kept' if kept else 'removed'} the reference image in its rankings; "
            f"{form.title} is counted {'with' if form.protocol.keep_reference else 'without'} it. "
            "Run the set by its own protocol."
        )
    table = query_table(run)
    if table is None:
        raise UsageError(f"{run.name} came without its table of queries, {TABLE}.")
    id_of = cache(form.protocol.id_of)

    def ranked(path: Path) -> dict[str, list[str]]:
        found = {query: [*map(id_of, images)] for query, images in read_trec(path).items()}
        _check_handed_in(found, table.ids, path)
        return found

    among = run.folder / f"{mode}.{SUBSET}.trec"
    return form.write_submission(
        ranked(run.folder / f"{mode}.trec"), ranked(among) if among.is_file() else {}
    )


def _check_handed_in(found: Mapping[str, list[str]], queries: Sequence[str], path: Path) -> None:
    """Every query of the run once, and no image twice."""
    known = set(queries)
    other = next((query for query in found if query not in known), None)
    if other is not None:
        raise UsageError(f"{path}: there is no query {other!r} in the run.")
    missing = [query for query in queries if query not in found]
    if missing:
        raise UsageError(
            f"{path}: {len(missing)} of {len(queries)} queries have no ranking, the first of them "
            f"{missing[0]!r}: the server takes every query."
        )
    for query, images in found.items():
        twice = first_doubled(images)
        if twice is not None:
            raise UsageError(f"{path}: the query {query!r} ranks the image {twice!r} twice.")


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

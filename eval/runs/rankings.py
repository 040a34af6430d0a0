"""Rankings that some system wrote: a TREC run file, or the submission file of a benchmark.

Submission files: CIRCO `{query: [images]}`; CIRR the same with `version` and `metric` beside the
queries; FashionIQ a list of `{"candidate", "ranking": [images]}` in the order of the captions.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cir.errors import UsageError
from eval.runs.writing import plain_id
from eval.sets.formats.annotations import Annotations, images, parse_json, records
from eval.sets.labelled import FASHIONIQ, LabelledSet

SUBSET_METRIC = "recall_subset"
_FIELDS = 6


@dataclass(frozen=True)
class Rankings:
    """What a file ranks.

    Attributes:
        name: what to call them, for people.
        by_query: query id -> ids of images, best first; queries without a ranking are not there.
        of_candidates: whether they say that only the queries' candidates were searched.
    """

    name: str
    by_query: Mapping[str, list[str]]
    of_candidates: bool = False


def read_rankings(path: Path, labelled: LabelledSet) -> Rankings:
    """The rankings of a file, with the set's own ids.

    Raises:
        UsageError: it cannot be read, is malformed, ranks an image of a query twice, or ranks for a
            query that the set does not have. The message names the line or the query.
    """
    data = _read(path)
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"{", b"["}:
        given, of_candidates = _submission(path, parse_json(data, str(path)), labelled)
    else:
        given, of_candidates = _parse_trec(path, data), False
    if not given:
        raise UsageError(f"{path} holds no ranking.")
    return Rankings(str(path), _checked(str(path), given, labelled), of_candidates)


def given_rankings(
    given: Mapping[str, Sequence[str]], labelled: LabelledSet, name: str = "These rankings"
) -> Rankings:
    """Query id -> ranked images, best first, with the set's own ids; errors as `read_rankings`."""
    return Rankings(name, _checked(name, given, labelled))


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


def _submission(
    path: Path, content: Any, labelled: LabelledSet
) -> tuple[dict[str, list[str]], bool]:
    if isinstance(content, list):
        return _fashioniq(path, content, labelled), False
    metric = content.get("metric")
    lists = {key: value for key, value in content.items() if isinstance(value, list)}
    others = set(content) - set(lists) - {"version", "metric"}
    if others:
        raise UsageError(f"{path}: the query {min(others)!r} has no list of images.")
    place = f"{path}, query"
    return {key: list(images(lists, key, place)) for key in lists}, metric == SUBSET_METRIC


def _fashioniq(path: Path, content: Any, labelled: LabelledSet) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    listed = list(records(Annotations(path, content, ""))) if content else []
    if labelled.protocol is not FASHIONIQ or len(listed) != len(labelled.queries):
        raise UsageError(
            f"{path} holds a list of {len(listed)} rankings; {labelled.name} has "
            f"{len(labelled.queries)} queries, each of which needs its own, in their order."
        )
    for query, (place, record) in zip(labelled.queries, listed, strict=True):
        if record.get("candidate") != query.reference:
            raise UsageError(
                f"{place}: 'candidate' is {record.get('candidate')!r}, but the query has "
                f"{query.reference!r}: the rankings are not in the order of the captions."
            )
        found[query.id] = list(images(record, "ranking", place))
    return found


def _checked(
    place: str, given: Mapping[str, Sequence[str]], labelled: LabelledSet
) -> dict[str, list[str]]:
    known = {query.id for query in labelled.queries}
    found: dict[str, list[str]] = {}
    for name, ranked in given.items():
        query_id = _query_id(name, known, labelled)
        if query_id is None:
            raise UsageError(f"{place}: there is no query {name!r} in {labelled.name}.")
        if query_id in found:
            raise UsageError(f"{place}: the query {query_id!r} stands there under two names.")
        ids = [labelled.protocol.image_id(image) for image in ranked]
        if len(set(ids)) != len(ids):
            twice = next(image for at, image in enumerate(ids) if image in ids[:at])
            raise UsageError(f"{place}: the query {name!r} ranks the image {twice!r} twice.")
        found[query_id] = ids
    return found


def _query_id(name: str, known: set[str], labelled: LabelledSet) -> str | None:
    if name in known:
        return name
    # FashionIQ's queries have no ids of their own: others may count them without the category.
    counted = f"{labelled.name.rpartition('-')[2]}-{name}"
    return counted if labelled.protocol is FASHIONIQ and counted in known else None

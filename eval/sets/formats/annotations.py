"""What the readers of published annotation files share: finding, parsing and checking them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cir.errors import UsageError

_SUBFOLDERS = ("", "captions", "image_splits", "annotations")


@dataclass(frozen=True)
class Annotations:
    """One annotation file: its parsed content, and the place it came from."""

    path: Path
    content: Any
    digest: str


def find(root: Path, family: str, name: str) -> Path:
    """An annotation file below a root that is laid out flat or as the authors do.

    Looked for in the root itself, in the authors' subfolders (`captions`, `image_splits`,
    `annotations`), and in folders of the root whose name begins with the benchmark's.

    Raises:
        UsageError: there is no such folder or file.
    """
    if not root.is_dir():
        raise UsageError(f"There is no folder {root}: name the one that holds {name}.")
    for base in _bases(root, family):
        for sub in _SUBFOLDERS:
            path = base / sub / name
            if path.is_file():
                return path
    raise UsageError(
        f"{root} holds no {name}: looked for it there and in its folders "
        f"{', '.join(_SUBFOLDERS[1:])} and {family}."
    )


def _bases(root: Path, family: str, depth: int = 2) -> Iterator[Path]:
    yield root
    if depth:
        for child in sorted(root.iterdir()):
            if child.name.lower().replace("-", "").startswith(family) and child.is_dir():
                yield from _bases(child, family, depth - 1)


def read_json(path: Path) -> Annotations:
    """A JSON file.

    Raises:
        UsageError: it cannot be read, is not JSON (the line is named), or an object in it has the
            same key twice.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror or error}).") from error
    return Annotations(path, parse_json(data, str(path)), hashlib.sha256(data).hexdigest())


def unique_keys(place: str) -> Callable[[Sequence[tuple[str, Any]]], dict[str, Any]]:
    """A hook for `json.loads` that refuses an object with the same key twice; it names the place.

    Without it the last of them would count.
    """

    def unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise UsageError(f"{place}: {key[:80]!r} stands in one object twice.")
            found[key] = value
        return found

    return unique


def parse_json(data: bytes, place: str) -> Any:
    """The content of a JSON file; raises as `read_json`."""
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=unique_keys(place))
    except json.JSONDecodeError as error:
        raise UsageError(f"{place}, line {error.lineno}: not JSON ({error.msg}).") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{place}, line {line}: not UTF-8 text.") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{place}: not JSON ({error}).") from error


def records(file: Annotations) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Place and content of each record of a file that holds a list of objects.

    Raises:
        UsageError: it holds something else, or nothing.
    """
    if not isinstance(file.content, list) or not file.content:
        raise UsageError(f"{file.path}: not a list of records.")
    for number, record in enumerate(file.content, 1):
        place = f"{file.path}, record {number}"
        if not isinstance(record, dict):
            raise UsageError(f"{place}: not a JSON object.")
        yield place, record


def text(record: Mapping[str, Any], key: str, place: str) -> str:
    """A text that is not empty.

    Raises:
        UsageError: it is missing, empty or no text.
    """
    value = _given(record, key, place)
    if not isinstance(value, str):
        raise UsageError(f"{place}: {key!r} is {json.dumps(value)[:40]}, not a text in quotes.")
    if not value.strip():
        raise UsageError(f"{place}: {key!r} is empty.")
    return value


def image(record: Mapping[str, Any], key: str, place: str) -> str:
    """The id of an image, a text or a number, as text; raises as `text`."""
    return _as_id(_given(record, key, place), key, place)


def images(record: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    """A list of ids of images.

    Raises:
        UsageError: it is missing, empty or no such list, or holds an id twice.
    """
    value = _given(record, key, place)
    if not isinstance(value, list) or not value:
        raise UsageError(f"{place}: {key!r} is not a list of images.")
    found = tuple(_as_id(each, key, place) for each in value)
    if len(set(found)) != len(found):
        twice = first_doubled(found)
        raise UsageError(f"{place}: {key!r} names an image twice, {twice!r}.")
    return found


def first_doubled(names: Iterable[str]) -> str | None:
    """The first name that stands there a second time; None where there is none."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def _given(record: Mapping[str, Any], key: str, place: str) -> Any:
    if key not in record:
        raise UsageError(f"{place}: {key!r} is missing.")
    return record[key]


def _as_id(value: object, key: str, place: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value.strip():
        return value
    raise UsageError(f"{place}: {key!r} is {json.dumps(value)[:40]}, not the id of an image.")


def stem(path: str) -> str:
    """The file's name without folder and ending; ids of published sets hold no dot or slash.

    As `PurePosixPath(path).stem`, which is too slow for the millions of ids of a file of rankings.
    """
    name = path.rstrip("/").rpartition("/")[2]
    head, _, ending = name.rpartition(".")
    return head if head and ending else name


def unique_ids(places: Sequence[tuple[str, str]]) -> None:
    """Refuse queries of the same id; each comes with its place.

    Raises:
        UsageError: names both places.
    """
    seen: dict[str, str] = {}
    for query_id, place in places:
        if query_id in seen:
            raise UsageError(f"{place}: the query {query_id!r} stands in {seen[query_id]} too.")
        seen[query_id] = place


def fingerprint(files: Sequence[Annotations], *options: object) -> str:
    """Hex digest of the content of files and of how they were read."""
    parts = [*(file.digest for file in files), *map(repr, options)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()

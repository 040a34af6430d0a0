"""Runs read back: those of a folder, and one that somebody uploads.

What is read may come from anywhere, so everything that is used of it is checked first.
"""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cir.cells import original_cell
from cir.errors import UsageError
from cir.indexing.archives import read_zip, shallowest
from cir.search import MODES
from eval.measures import DEPTH, MEASURES, find_measure
from eval.runs.ranks import COMPOSED, RankTable
from eval.runs.writing import CLUSTER, groups_of
from eval.sets.labelled import LabelledSet

if TYPE_CHECKING:
    from pandas import DataFrame

DOCUMENT = "run.json"
TABLE = "queries.csv"
NOTE = "note.txt"
MAX_NOTE = 2000
"""Characters of a note that somebody has written beside a run."""
MAX_BYTES = 32 * 2**20
"""What the two files may hold together; a table of 100,000 queries is a tenth of it."""

_MAX_GROUPS = 100_000
_MAX_NAME = 200
_NAMES = tuple(str(measure) for measure in MEASURES)

Figures = Mapping[str, float]
"""Measure -> value from 0 to 1."""


@dataclass(frozen=True)
class Run:
    """An evaluation: its figures, what they were made with, and a row for each query.

    Attributes:
        name: that of its folder or upload.
        set: name of the labelled set.
        encoder: name of the encoder.
        queries: number of queries.
        date: when it began, or None when it does not say.
        modes: mode ("composed", "image", "text", "sum") -> measure -> value from 0 to 1, of the
            composed query first.
        groups: group -> measure -> value of the composed query.
        document: `run.json` as it is; beyond the fields above nothing of it is checked.
        folder: where it lies, None for an upload.
        ranks: ranks that came with an upload; `rank_table` gives those of either.
        labelled: the set that was asked, where this process has it at hand.
        note: what somebody has noted of it, see `eval.runs.naming`; "" for nothing.
    """

    name: str
    set: str
    encoder: str
    queries: int
    date: datetime | None
    modes: Mapping[str, Figures]
    groups: Mapping[str, Figures]
    document: Mapping[str, Any] = field(repr=False)
    folder: Path | None = None
    ranks: RankTable | None = field(default=None, repr=False)
    labelled: LabelledSet | None = field(default=None, repr=False)
    note: str = ""

    @property
    def metrics(self) -> Figures:
        """Measure -> value from 0 to 1 of the composed query, the mean over all queries."""
        return self.modes[COMPOSED]

    @property
    def table(self) -> "DataFrame":
        """A row for each query, in the order of the labelled set; see `eval.runs.queries.frame`.

        Raises:
            UsageError: the run came without its table of queries, or that is damaged.
        """
        from eval.runs.queries import frame

        return frame(self)

    @property
    def judged(self) -> bool:
        """Whether its targets are known; without them a run has rankings and no figures."""
        return self.document.get("judged") is not False

    def part(self, key: str) -> Mapping[str, Any]:
        """An object of `run.json`, empty when it is not there or no object."""
        value = self.document.get(key)
        return value if isinstance(value, dict) else {}

    def same_set(self, other: "Run") -> bool:
        """Whether both ran the same labelled set: by its content where both know, else by name."""
        prints = (self.document.get("set_fingerprint"), other.document.get("set_fingerprint"))
        return prints[0] == prints[1] if all(prints) else self.set == other.set


@dataclass(frozen=True)
class DamagedRun:
    """A folder among the runs that cannot be read, by a name that can be shown, and why."""

    folder: Path
    name: str
    reason: str


def list_runs(folder: Path) -> tuple[list[Run], list[DamagedRun]]:
    """The runs in a folder, the newest first, and the folders whose `run.json` is damaged.

    Folders without a `run.json`, and hidden ones (runs that are being written), are passed over.
    """
    runs, damaged = [], []
    for path in sorted(folder.glob(f"*/{DOCUMENT}")):
        name = path.parent.name
        if name.startswith("."):
            continue
        try:
            runs.append(_parsed(name, _read(path), path.parent))
        except UsageError as error:
            damaged.append(DamagedRun(path.parent, _showable(name), _showable(str(error))))
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(runs, key=lambda run: (run.date or oldest, run.name), reverse=True), damaged


def open_run(run: Path, runs_dir: Path) -> Run:
    """The run in a folder, which is named by its path or, among the runs there are, by its name.

    Raises:
        UsageError: there is no such run, or it is damaged.
    """
    for folder in (run, runs_dir / run):
        if (folder / DOCUMENT).is_file():
            return _parsed(folder.resolve().name, _read(folder / DOCUMENT), folder)
    raise UsageError(f"There is no run {str(run)!r}: name its folder, or its name in {runs_dir}.")


def rank_table(run: Run) -> RankTable | None:
    """The ranks of a run's first targets.

    None when it came without `queries.csv`, or its targets are not known.

    Raises:
        UsageError: the table is damaged or not of this run.
    """
    return query_table(run) if run.judged else None


def query_table(run: Run) -> RankTable | None:
    """Like `rank_table`, also where targets are not known: then without a rank."""
    if run.folder is None or not (run.folder / TABLE).is_file():
        return run.ranks
    return _table(_read(run.folder / TABLE), run)


def open_upload(name: str, data: bytes) -> Run:
    """The run in an uploaded file: a zip of a run's folder, or its `run.json` alone.

    Args:
        name: the file's name.
        data: its content.

    Raises:
        UsageError: it holds no run, a damaged one, or more than `MAX_BYTES`.
    """
    if not name.lower().endswith(".zip"):
        if len(data) > MAX_BYTES:
            raise UsageError(f"{name} is larger than {MAX_BYTES // 2**20} MB.")
        return _parsed(PurePosixPath(name).stem, data)
    files = read_zip(name, data, lambda path: path.name in {DOCUMENT, TABLE, NOTE}, MAX_BYTES)
    found = shallowest(files, DOCUMENT)
    if found is None:
        raise UsageError(f"{name} holds no {DOCUMENT}: choose a zip of a run's folder.")
    run = _parsed(found.parent.name or PurePosixPath(name).stem, files[found])
    note, table = files.get(found.with_name(NOTE), b""), files.get(found.with_name(TABLE))
    run = replace(run, note=_noted(note))
    return run if table is None else replace(run, ranks=_table(table, run))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read ({error.strerror or error}).") from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path.name} is larger than {MAX_BYTES // 2**20} MB.")
    return data


def _parsed(name: str, data: bytes, folder: Path | None = None) -> Run:
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{DOCUMENT} is not JSON ({error}).") from error
    if not isinstance(document, dict):
        raise UsageError(f"{DOCUMENT} is not a JSON object.")
    return Run(
        name=_showable(name)[:_MAX_NAME] or "run",
        set=_text(document, "set"),
        encoder=_text(document, "encoder"),
        queries=_count(document),
        date=_date(document.get("date")),
        modes=_modes(document),
        groups=_by_name(document.get("groups", {}), "groups"),
        document=document,
        folder=folder,
        note="" if folder is None else _note(folder),
    )


def _note(folder: Path) -> str:
    try:
        with (folder / NOTE).open("rb") as file:
            return _noted(file.read(4 * MAX_NOTE))
    except OSError:
        return ""  # most have none


def _noted(data: bytes) -> str:
    return data.decode("utf-8-sig", "replace").strip()[:MAX_NOTE]


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not value or len(value) > _MAX_NAME:
        raise UsageError(f"{DOCUMENT} names no {key}.")
    return _showable(value)


def _showable(text: str) -> str:
    """The text without halves of surrogate pairs, which neither UTF-8 nor a browser takes."""
    return text.encode("utf-8", "replace").decode()


def _count(document: Mapping[str, Any]) -> int:
    value = document.get("queries")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise UsageError(f"{DOCUMENT} does not say how many queries there were.")
    return value


def _date(value: object) -> datetime | None:
    try:
        date = datetime.fromisoformat(value) if isinstance(value, str) else None
        return date and (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _modes(document: Mapping[str, Any]) -> dict[str, Figures]:
    given = _by_name(document.get("modes", {}), "modes")
    if document.get("judged") is False:
        return {COMPOSED: {}}
    composed = _figures(document.get("metrics"), "metrics")
    return {COMPOSED: composed} | {mode: given[mode] for mode in MODES[1:] if mode in given}


def _by_name(value: object, key: str) -> dict[str, Figures]:
    if not isinstance(value, dict) or len(value) > _MAX_GROUPS:
        raise UsageError(f"{key} in {DOCUMENT} is no object of at most {_MAX_GROUPS} entries.")
    return {
        _showable(name): _figures(each, f"{key}, {name[:40]!r}") for name, each in value.items()
    }


def _figures(value: object, place: str) -> Figures:
    given = value if isinstance(value, dict) else {}
    names = [*_NAMES, *(name for name in given if name not in _NAMES and find_measure(name))]
    found = {name: given[name] for name in names if given.get(name) is not None}
    for name, figure in found.items():
        # Also false for NaN, which JSON readers take.
        if not (isinstance(figure, int | float) and 0 <= figure <= 1):
            raise UsageError(f"{place} in {DOCUMENT}: {name} is not a number from 0 to 1.")
    if not found:
        raise UsageError(f"{place} in {DOCUMENT} holds none of {', '.join(_NAMES)}.")
    return {name: float(figure) for name, figure in found.items()}


def _table(data: bytes, run: Run) -> RankTable:
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (ValueError, csv.Error) as error:
        raise UsageError(f"{TABLE} is not a table that can be read ({error}).") from error
    header, body = (rows[0], rows[1:]) if rows else ([], [])
    if header[:3] != ["id", "group", COMPOSED] or any(len(row) != len(header) for row in body):
        raise UsageError(f"{TABLE} does not have the columns id, group, {COMPOSED} in every line.")
    if len(body) != run.queries:
        raise UsageError(
            f"{TABLE} holds {len(body)} queries, {DOCUMENT} {run.queries}: they are of two runs."
        )
    columns: dict[str, int] = {mode: header.index(mode) for mode in MODES if mode in header}
    ranks = {mode: tuple(_rank(row[at]) for row in body) for mode, at in columns.items()}
    values: dict[str, dict[str, tuple[float, ...]]] = {}
    for at, heading in enumerate(header):
        mode, _, name = heading.partition(" ")
        if mode in columns and find_measure(name):
            values.setdefault(mode, {})[name] = tuple(_value(row[at]) for row in body)
    groups = tuple(groups_of(original_cell(row[1])) for row in body)
    ids = tuple(original_cell(row[0]) for row in body)
    clusters: tuple[str, ...] | None = None
    if CLUSTER in header:
        place = header.index(CLUSTER)
        clusters = tuple(original_cell(row[place]) for row in body)
    elif "clusters" in run.document:
        clusters = ()  # runs without the entry are of an earlier version, which did not look
    shared = run.document.get("clusters")
    shared = _showable(shared)[:_MAX_NAME] if isinstance(shared, str) else ""
    return RankTable(groups, ranks, values, ids, _depth(run), clusters, shared)


def _depth(run: Run) -> int:
    """How many images a ranking of the run holds."""
    value = run.part("settings").get("depth")
    return value if isinstance(value, int) and 0 < value < 2**31 else DEPTH


def _value(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"{TABLE}: {text[:20]!r} is not a number from 0 to 1.")
    return value


def _rank(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise UsageError(f"{TABLE}: {text[:20]!r} is not a rank from 1.")
    return int(text)

"""A run on disk: a TREC run file for each mode, a table of queries, and `run.json`.

A run is written to a hidden folder beside its place and renamed at the end, so that a folder
under its final name is whole. Its content:

- `composed.trec`, and one such file for each further mode: `query-id Q0 path rank score tag`, a
  line for each ranked image. Scores fall strictly, so that tools that order by score and break
  ties their own way (trec_eval: by id) keep the ranking. White space and `%` in ids and paths
  are percent-encoded, and the tag of such a line ends with `ENCODED_MARK`; `eval.sets.trec`
  converts. Ids of files that others wrote are taken as they stand.
- `composed.subset.trec` and so on, where queries have candidates of their own: a search among
  these alone.
- `queries.csv`: id, groups (parted by `|`), for each mode the rank of the first target that
  recall@k counts, empty without one, then for each mode the values of the measures that this rank
  does not give, in columns such as `composed map@10`; last, where queries share images,
  `cluster`, the same for those that do, and empty for one that stands alone.
- `run.json`: the figures, and what they were made with.

`eval.runs.reading` reads a run back.
"""

import csv
import json
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from platform import python_version
from types import TracebackType
from typing import Any, Self, TextIO

import cir
from cir.cells import safe_cell
from cir.errors import RecomposeError, UsageError
from eval.sets.trec import trec_id

SUBSET = "subset"
"""Part of the name of a run file that ranks candidates alone."""

ENCODED_MARK = "+percent-encoded"
"""End of the tag of a line of a TREC run file whose ids are percent-encoded."""
CLUSTER = "cluster"
"""Column of the table of queries that names each query's cluster."""

_SCORE_DIGITS = 6
_PACKAGES = (
    *("numpy", "pillow", "pymilvus", "milvus-lite", "onnxruntime", "tokenizers"),
    *("torch", "timm", "transformers"),
)


def groups_cell(groups: Sequence[str]) -> str:
    """A query's groups as the table holds them: parted by `|`, which a name has as %7C."""
    return "|".join(name.replace("%", "%25").replace("|", "%7C") for name in groups)


def groups_of(cell: str) -> tuple[str, ...]:
    """The groups that `groups_cell` made this of."""
    return tuple(part.replace("%7C", "|").replace("%25", "%") for part in cell.split("|") if part)


def new_name(name: str, now: datetime) -> str:
    """`<name>-<UTC timestamp>-<short unique>`, a file name on every system."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "run"
    return f"{plain}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def package_versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that figures may depend on."""
    versions = {"python": python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def peak_memory() -> int | None:
    """Bytes that this process has held at most so far; None where the system does not tell."""
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return held * (1 if sys.platform == "darwin" else 1024)


def our_version() -> dict[str, str | None]:
    """`version` of Recompose, and the `commit` of the checkout; None where that is not known.

    A commit whose files have been changed since ends with "-dirty".
    """
    root = Path(__file__).resolve().parents[2]

    def git(*words: str) -> str:
        asked = ["git", "-C", str(root), *words]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=True)
        return done.stdout.strip()

    commit = None
    if (root / ".git").exists():
        with suppress(OSError, subprocess.SubprocessError):
            commit = git("rev-parse", "HEAD") + ("-dirty" if git("status", "-s", "-uno") else "")
    return {"version": cir.__version__, "commit": commit}


class RunWriter:
    """Writes one run; use it in a `with` statement and end with `finish`.

    Leaving the statement without `finish` takes the unfinished folder away.

    Args:
        folder: the run's place; an empty folder is replaced, a filled one refused.
        modes: names of the run files to write, in the order of the table's columns.
        candidates: whether queries have candidates that are ranked by themselves.

    Raises:
        UsageError: the folder holds something already, or cannot be made.
    """

    def __init__(self, folder: Path, modes: Sequence[str], *, candidates: bool = False) -> None:
        # Absolute now: the working folder may change before the end.
        self.folder = folder.absolute()
        self._partial = self.folder.parent / f".partial-{secrets.token_hex(6)}"
        self._modes = tuple(modes)
        self._ranks: dict[str, dict[str, int | None]] = {}
        self._groups: dict[str, Sequence[str]] = {}
        self._values: dict[str, Sequence[float]] = {}
        self._clusters: Sequence[str] = ()
        self._names = [*modes, *(f"{mode}.{SUBSET}" for mode in modes if candidates)]
        self._files: dict[str, TextIO] = {}
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        _check_free(self.folder)
        try:
            self._partial.mkdir(parents=True)
            for name in self._names:
                file = (self._partial / f"{name}.trec").open("w", encoding="utf-8", newline="\n")
                self._files[name] = self._closing.enter_context(file)
        except OSError as error:
            self._discard()
            raise UsageError(
                f"The run cannot be written to {self.folder} ({error.strerror or error}): "
                "choose another place."
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._discard()

    def add_query(self, query_id: str, groups: Sequence[str]) -> None:
        """Open the query's line in the table; queries stand there in this order."""
        self._groups[query_id] = groups
        self._ranks[query_id] = {}

    def add_ranking(
        self,
        query_id: str,
        mode: str,
        ranked: Iterable[tuple[str, float]],
        first_target: int | None,
    ) -> None:
        """Write one query's ranking in one mode.

        Args:
            query_id: a query that `add_query` has opened.
            mode: one of the writer's modes.
            ranked: path and score of each image, best first.
            first_target: rank of the first target, from 1, or None.

        Raises:
            RecomposeError: the disk refuses.
        """
        self._ranks[query_id][mode] = first_target
        self._write_ranking(mode, query_id, ranked)

    def add_candidates(self, query_id: str, mode: str, ranked: Iterable[tuple[str, float]]) -> None:
        """Write the ranking of a query's candidates: path and score of each, best first."""
        self._write_ranking(f"{mode}.{SUBSET}", query_id, ranked)

    def add_values(self, mode: str, values: Mapping[str, Sequence[float]]) -> None:
        """Add columns to the table: by the measure's name a value for each query, in order."""
        self._values.update({f"{mode} {name}": column for name, column in values.items()})

    def add_clusters(self, clusters: Sequence[str]) -> None:
        """Name each query's cluster in the table, in order, see `LabelledSet.clusters`."""
        self._clusters = clusters

    def finish(self, document: Mapping[str, Any]) -> Path:
        """Write the table and `run.json`, and give the run its name.

        Returns:
            The run's folder.

        Raises:
            RecomposeError: the disk refuses, or the place was taken in the meantime.
        """
        try:
            self._closing.close()
            self._write_table(self._partial / "queries.csv")
            text = json.dumps(document, indent=2, allow_nan=False)
            (self._partial / "run.json").write_text(text + "\n", encoding="utf-8")
            if self.folder.exists():
                # Fails on a folder with content: what came in the meantime is not overwritten.
                self.folder.rmdir()
            self._partial.rename(self.folder)
        except OSError as error:
            raise self._refused(error) from error
        return self.folder

    def _write_ranking(self, name: str, query_id: str, ranked: Iterable[tuple[str, float]]) -> None:
        lines = list(trec_lines(query_id, ranked, tag=name))
        try:
            self._files[name].writelines(lines)
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> RecomposeError:
        return RecomposeError(
            f"The run could not be written to {self.folder} ({error.strerror or error})."
        )

    def _write_table(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            last = [CLUSTER] if self._clusters else []
            table.writerow(["id", "group", *self._modes, *self._values, *last])
            for row, (query_id, ranks) in enumerate(self._ranks.items()):
                cells = [ranks.get(mode) or "" for mode in self._modes]
                values = [f"{column[row]:.6g}" for column in self._values.values()]
                texts = map(safe_cell, [query_id, groups_cell(self._groups[query_id])])
                last = [safe_cell(name) for name in self._clusters[row : row + 1]]
                table.writerow([*texts, *cells, *values, *last])

    def _discard(self) -> None:
        with suppress(OSError):  # a full disk does not take what is not yet written
            self._closing.close()
        shutil.rmtree(self._partial, ignore_errors=True)


def trec_lines(query_id: str, ranked: Iterable[tuple[str, float]], *, tag: str) -> Iterable[str]:
    """Lines of a TREC run file for one query: `query-id Q0 path rank score tag`.

    Args:
        query_id: written as `trec_id` gives it, like the paths; the tag says where that differs.
        ranked: path and score of each image, best first, no score above the one before it.
        tag: name of the run, a word.

    Scores have six digits after the point; a score equal to the one before it, or above it by
    rounding, is lowered to the next smaller number. A millionth is told apart in the single
    precision in which trec_eval holds scores between -8 and 8.
    """
    scale = 10**_SCORE_DIGITS
    last: int | None = None
    query = trec_id(query_id)
    for rank, (path, score) in enumerate(ranked, 1):
        units = round(score * scale)
        last = units if last is None else min(units, last - 1)
        value = f"{last / scale:.{_SCORE_DIGITS}f}"
        image = trec_id(path)
        mark = ENCODED_MARK if "%" in query or "%" in image else ""
        yield f"{query} Q0 {image} {rank} {value} {tag}{mark}\n"


def _check_free(folder: Path) -> None:
    if folder.is_dir():
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty: a run overwrites nothing, name a new folder.")
    elif folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} is not a folder: name a new one.")

"""Metadata tables: read, type, and join to image files."""

import csv
import json
import math
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from cir.errors import UsageError
from cir.store.records import ColumnType, Metadata

DEFAULT_NAME = "metadata.csv"
FORMATS = ".csv, .tsv, .jsonl, .ndjson, .parquet"
_SAFE_INTEGER = 2**53  # beyond it a number loses digits in JSON
_LONGEST_NAME = 4096  # of a file, with its folders
_ENOUGH_FILES = 2000  # matched by a column, to call it the key
# What Python reads as numbers beyond these, such as 007, +49 or 1_000, is rather a name or a code.
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")

_Columns = tuple[list[str], list[list[Any]]]
"""Names of columns, and the cells of each."""


@dataclass
class MetadataTable:
    """A table whose rows describe image files.

    Attributes:
        source: the file it came from.
        columns: column -> type, over the whole table.
        key: the column that names the image files.
    """

    source: Path
    columns: Mapping[str, ColumnType]
    key: str
    _rows: Mapping[str, int]
    _values: Mapping[str, list[Any]]
    _used: set[int] = field(default_factory=set)

    def lookup(self, path: str) -> Metadata | None:
        """The file's values, empty cells left out; None where no row names the file."""
        row = next((self._rows[name] for name in _names(path) if name in self._rows), None)
        if row is None:
            return None
        self._used.add(row)
        cells = ((column, values[row]) for column, values in self._values.items())
        return {column: value for column, value in cells if value is not None}

    @property
    def unmatched_rows(self) -> int:
        """Rows that no file so far has asked for."""
        return self.row_count - len(self._used)

    @property
    def row_count(self) -> int:
        """Rows of the table."""
        return len(next(iter(self._values.values())))


def find_table(folder: Path, given: Path | None) -> Path | None:
    """The metadata file: the given one, else `metadata.csv` in the folder, else None.

    Raises:
        UsageError: the given file is missing.
    """
    if given is not None:
        if not given.is_file():
            raise UsageError(f"There is no metadata file {given}.")
        return given
    default = folder / DEFAULT_NAME
    return default if default.is_file() else None


def read_table(path: Path, files: Iterable[str]) -> MetadataTable:
    """The table in a CSV, TSV, JSON lines or Parquet file.

    The key is the column that names the most of `files` (relative paths; read only until the answer
    is clear): by the path or the bare name, with or without its ending.

    Raises:
        UsageError: the file cannot be read, has no rows, or no column names any of the files.
    """
    names, cells = _read(path)
    if not cells or not cells[0]:
        raise UsageError(f"The metadata file {path} has no rows.")
    text = {
        name: [_text(cell) for cell in column] for name, column in zip(names, cells, strict=True)
    }
    key = _key_column(path, text, files)
    columns: dict[str, ColumnType] = {}
    values: dict[str, list[Any]] = {}
    for column, texts in text.items():
        columns[column], values[column] = _typed(texts)
    rows: dict[str, int] = {}
    for row, cell in enumerate(text[key]):
        for name in _spellings(cell):
            rows.setdefault(name, row)
    return MetadataTable(path, columns, key, rows, values)


def _read(path: Path) -> _Columns:
    try:
        match path.suffix.lower():
            case ".csv" | ".tsv":
                names, cells = _read_csv(path)
            case ".jsonl" | ".ndjson":
                names, cells = _read_json_lines(path)
            case ".parquet":
                names, cells = _read_parquet(path)
            case other:
                raise UsageError(
                    f"{path}: a metadata file ends in one of {FORMATS}, not {other or 'nothing'}."
                )
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text. Save it as UTF-8.") from error
    except (OSError, ValueError, RuntimeError, csv.Error) as error:  # Arrow's are among these
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"The metadata file {path} cannot be read: {reason}.") from error
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"The metadata file {path} has two columns named {twice!r}.")
    return names, cells


def _read_csv(path: Path) -> _Columns:
    """A row's surplus cells belong to the last column: free text with commas, left unquoted."""
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8-sig", newline="") as file:
        separator = _separator(path, file.readline())
        file.seek(0)
        lines = csv.reader(file, delimiter=separator)
        header = next(lines, [])
        names = [name.strip() or f"column {at}" for at, name in enumerate(header, start=1)]
        cells: list[list[Any]] = [[] for _ in names]
        for line in filter(None, lines):
            if len(line) > len(names):
                line[len(names) - 1] = separator.join(line[len(names) - 1 :]).rstrip(separator)
            for at, column in enumerate(cells):
                column.append(line[at] if at < len(line) else "")
    return names, cells


def _separator(path: Path, header: str) -> str:
    """Tab for TSV; for CSV what the header has most of: spreadsheets write semicolons, too."""
    return "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)


def _read_json_lines(path: Path) -> _Columns:
    rows = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise UsageError(f"{path}, line {number} is not JSON ({error.msg}).") from error
            if not isinstance(row, dict):
                raise UsageError(f"{path}, line {number} is not a JSON object.")
            rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    return names, [[row.get(name) for row in rows] for name in names]


def _read_parquet(path: Path) -> _Columns:
    from pyarrow import parquet

    table = parquet.read_table(path)
    return table.column_names, [column.to_pylist() for column in table.columns]


def _text(cell: Any) -> str | None:
    """The cell as text; None where it is empty."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, (dict, list)):
        return json.dumps(cell, ensure_ascii=False, default=str)
    text = str(cell)
    return text if text.strip() else None


def _typed(texts: list[str | None]) -> tuple[ColumnType, list[Any]]:
    """One type for the whole column: the narrowest that holds every filled cell."""
    filled = [text.strip() for text in texts if text is not None]
    if not filled:
        return "string", texts
    if all(text.lower() in {"true", "false"} for text in filled):
        return "boolean", [text and text.strip().lower() == "true" for text in texts]
    if all(map(_INTEGER.fullmatch, filled)):
        if all(len(text) < 20 and abs(int(text)) < _SAFE_INTEGER for text in filled):
            return "integer", [text and int(text) for text in texts]
        return "string", texts
    if all(map(_NUMBER.fullmatch, filled)) and all(abs(float(x)) < float("inf") for x in filled):
        return "number", [text and float(text) for text in texts]
    return "string", texts


def _key_column(path: Path, text: Mapping[str, list[str | None]], files: Iterable[str]) -> str:
    known = {
        column: {name for cell in cells for name in _spellings(cell)}
        for column, cells in text.items()
    }
    counts = dict.fromkeys(text, 0)
    for file in files:
        names = _names(file)
        for column, cells in known.items():
            counts[column] += not cells.isdisjoint(names)
        if max(counts.values()) >= _ENOUGH_FILES:
            break
    best = max(counts, key=lambda column: counts[column])
    if not counts[best]:
        raise UsageError(
            f"No column of {path} names the images (looked at {', '.join(text)}). One column must "
            "hold each image's file name or path, with or without its ending."
        )
    return best


def _spellings(cell: str | None) -> tuple[str, ...]:
    """Names that a cell may mean: what it says, and that in the form of `_names`."""
    if cell is None:
        return ()
    if len(cell) > _LONGEST_NAME:  # normalising may take the square of a text's length
        return (cell,)
    tidy = cell.strip().replace("\\", "/").removeprefix("./")
    return (cell, unicodedata.normalize("NFC", tidy))


def _names(path: str) -> tuple[str, ...]:
    """What a table may call the file, the most exact name first.

    Composed Unicode, because macOS writes names decomposed and spreadsheets do not.
    """
    pure = PurePosixPath(unicodedata.normalize("NFC", path))
    return (str(pure), str(pure.with_suffix("")), pure.name, pure.stem)

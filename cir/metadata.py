"""Metadata tables: read, type, and join to image files."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cir.errors import UsageError
from cir.store.records import ColumnType, Metadata

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_NAME = "metadata.csv"
FORMATS = ".csv, .tsv, .jsonl, .ndjson, .parquet"
_SAFE_INTEGER = 2**53  # beyond it a number loses digits in JSON


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

    The key is the column in which the most cells name one of `files` (relative paths; a sample is
    enough): as the path or the bare name, with or without its ending.

    Raises:
        UsageError: the file cannot be read, has no rows, or no column names any of the files.
    """
    frame = _read_frame(path)
    if frame.empty or not len(frame.columns):
        raise UsageError(f"The metadata file {path} has no rows.")
    text = {column: [_text(cell) for cell in frame[column]] for column in frame.columns}
    key = _key_column(path, text, files)
    columns: dict[str, ColumnType] = {}
    values: dict[str, list[Any]] = {}
    for column in frame.columns:
        columns[column], values[column] = _typed(frame[column].tolist(), text[column])
    rows: dict[str, int] = {}
    for row, name in enumerate(text[key]):
        if name is not None:
            rows.setdefault(_normal(name), row)
    return MetadataTable(path, columns, key, rows, values)


def _read_frame(path: Path) -> "pd.DataFrame":
    import pandas as pd

    try:
        match path.suffix.lower():
            case ".csv" | ".tsv":
                frame = pd.read_csv(
                    path,
                    sep=_separator(path),
                    dtype=str,
                    keep_default_na=False,
                    encoding="utf-8-sig",
                    index_col=False,
                )
            case ".jsonl" | ".ndjson":
                frame = _read_json_lines(path)
            case ".parquet":
                frame = pd.read_parquet(path)
            case other:
                raise UsageError(
                    f"{path}: a metadata file ends in one of {FORMATS}, not {other or 'nothing'}."
                )
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text. Save it as UTF-8.") from error
    except (OSError, ValueError) as error:  # pandas' and Arrow's parser errors are ValueErrors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"The metadata file {path} cannot be read: {reason}.") from error
    frame.columns = [str(column) for column in frame.columns]
    if frame.columns.has_duplicates:
        raise UsageError(f"The metadata file {path} has two columns of one name.")
    return frame


def _separator(path: Path) -> str:
    """Tab for TSV; for CSV a semicolon where the header has no comma, as some spreadsheets write."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    with path.open(encoding="utf-8-sig") as file:
        header = file.readline()
    return ";" if ";" in header and "," not in header else ","


def _read_json_lines(path: Path) -> "pd.DataFrame":
    import pandas as pd

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
    return pd.DataFrame(rows, dtype=object)


def _text(cell: Any) -> str | None:
    """The cell as text; None where it is empty."""
    if cell is None or (isinstance(cell, float) and cell != cell):
        return None
    if isinstance(cell, (dict, list)):
        return json.dumps(cell, ensure_ascii=False)
    text = str(cell)
    return None if text in {"", "<NA>", "NaT"} else text


def _typed(cells: list[Any], texts: list[str | None]) -> tuple[ColumnType, list[Any]]:
    """One type for the whole column: the narrowest that holds every filled cell."""
    filled = [text for text in texts if text is not None]
    if any(isinstance(cell, str) for cell in cells) and any(_keeps_zeros(text) for text in filled):
        return "string", texts  # 007 is a name, not a number
    if filled and all(text.lower() in {"true", "false"} for text in filled):
        return "boolean", [None if text is None else text.lower() == "true" for text in texts]
    try:
        whole = [None if text is None else int(text) for text in texts]
    except ValueError:
        pass
    else:
        if filled and all(number is None or abs(number) < _SAFE_INTEGER for number in whole):
            return "integer", whole
        return "string", texts
    try:
        numbers = [None if text is None else float(text) for text in texts]
    except ValueError:
        return "string", texts
    finite = all(number is None or abs(number) < float("inf") for number in numbers)
    return ("number", numbers) if finite else ("string", texts)


def _keeps_zeros(text: str) -> bool:
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()


def _key_column(path: Path, text: Mapping[str, list[str | None]], files: Iterable[str]) -> str:
    wanted = {name for file in files for name in _names(file)}
    counts = {
        column: sum(cell is not None and _normal(cell) in wanted for cell in cells)
        for column, cells in text.items()
    }
    best = max(counts, key=lambda column: counts[column])
    if not counts[best]:
        raise UsageError(
            f"No column of {path} names the images (looked at {', '.join(text)}). One column must "
            "hold each image's file name or path, with or without its ending."
        )
    return best


def _normal(name: str) -> str:
    return name.strip().replace("\\", "/").removeprefix("./")


def _names(path: str) -> tuple[str, ...]:
    """What a table may call the file, the most exact name first."""
    pure = PurePosixPath(_normal(path))
    return (str(pure), str(pure.with_suffix("")), pure.name, pure.stem)

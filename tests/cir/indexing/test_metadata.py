"""Tables: read, typed over whole columns, joined to image files."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from cir.errors import UsageError
from cir.indexing.metadata import MetadataTable, find_table, read_table

FILES = ["a.jpg", "b.jpg", "sub/c.png"]
ROWS: list[dict[str, Any]] = [
    {"file": "a.jpg", "colour": "Red", "year": 2011, "price": 1.5, "new": True},
    {"file": "b", "colour": 'Dark; blue, "so-called"', "year": 2012, "price": 20.0, "new": False},
    {"file": "sub/c.png", "colour": "Grün", "year": None, "price": 0.25, "new": None},
]
TYPES = {
    "file": "string",
    "colour": "string",
    "year": "integer",
    "price": "number",
    "new": "boolean",
}

WriteTable = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> WriteTable:
    """A function that writes a text or bytes as a file, `table.csv` unless named."""

    def write(content: str | bytes, name: str = "table.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def delimited(separator: str) -> str:
    def cell(value: Any) -> str:
        return "" if value is None else '"' + str(value).replace('"', '""') + '"'

    lines = [separator.join(ROWS[0]), *(separator.join(map(cell, row.values())) for row in ROWS)]
    return "\r\n".join(lines) + "\r\n"


def json_lines() -> str:
    return "\n".join(json.dumps(row) for row in ROWS) + "\n\n"


def column(table: MetadataTable, name: str) -> list[Any]:
    """The column's type and the values of a.jpg, b.jpg, c.png."""
    found = [table.lookup(file) for file in FILES]
    return [table.columns[name], *((values or {}).get(name) for values in found)]


def typed(write: WriteTable, *cells: str) -> list[Any]:
    """Type and values of a CSV column with the cells."""
    lines = [f'{file},"{cell}"' for file, cell in zip(FILES, cells, strict=False)]
    return column(read_table(write("\n".join(["file,x", *lines])), FILES), "x")


def require_rows(table: MetadataTable) -> None:
    assert table.columns == TYPES and table.key == "file"
    for file, row in zip(FILES, ROWS, strict=True):
        assert table.lookup(file) == {name: v for name, v in row.items() if v is not None}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", delimited(",")),
        ("t.CSV", delimited(";")),
        ("t.csv", delimited("\t")),
        ("t.tsv", delimited("\t")),
        ("t.csv", "\ufeff" + delimited(",")),
        ("t.jsonl", json_lines()),
        ("t.ndjson", "\ufeff" + json_lines()),
    ],
    ids=["csv", "semicolons", "tabs", "tsv", "BOM", "jsonl", "ndjson with BOM"],
)
def test_every_format_gives_the_same_table(write: WriteTable, name: str, content: str) -> None:
    require_rows(read_table(write(content, name), FILES))


def test_parquet_gives_the_same_table(tmp_path: Path) -> None:
    parquet.write_table(pa.Table.from_pylist(ROWS), tmp_path / "t.parquet")
    require_rows(read_table(tmp_path / "t.parquet", FILES))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["007", "12", ""], ["string", "007", "12", None]),
        (["7", "-12", "0"], ["integer", 7, -12, 0]),
        (["7", "1.5", ".5"], ["number", 7.0, 1.5, 0.5]),
        (["1e3", "-2E-2", ""], ["number", 1000.0, -0.02, None]),
        (["TRUE", "false", " "], ["boolean", True, False, None]),
        (["1", "0", "1"], ["integer", 1, 0, 1]),
        (["true", "0", ""], ["string", "true", "0", None]),
        (["7", "seven", ""], ["string", "7", "seven", None]),
        (["1_000", "2", ""], ["string", "1_000", "2", None]),
        (["+49", "2", ""], ["string", "+49", "2", None]),
        (["9007199254740993", "2", ""], ["string", "9007199254740993", "2", None]),
        (["9" * 5000, "2", ""], ["string", "9" * 5000, "2", None]),
        (["nan", "inf", "1"], ["string", "nan", "inf", "1"]),
        (["1e999", "1", ""], ["string", "1e999", "1", None]),
        (["NA", "null", "None"], ["string", "NA", "null", "None"]),
        (["", "", ""], ["string", None, None, None]),
        (["x\ny", " z ", ""], ["string", "x\ny", " z ", None]),
    ],
    ids=lambda value: " ".join(map(str, value))[:30] if isinstance(value, list) else None,
)
def test_a_column_has_one_type(write: WriteTable, cells: list[str], expected: list[Any]) -> None:
    assert typed(write, *cells) == expected


def test_json_values_keep_their_kind_and_nested_ones_become_text(write: WriteTable) -> None:
    rows = [
        {"file": "a", "tags": ["x", "ü"], "n": 1, "code": "007"},
        {"file": "b", "n": 2.5, "code": "8"},
    ]
    text = "\n".join(json.dumps(row) for row in rows)
    table = read_table(write(text, "t.jsonl"), FILES)
    assert column(table, "tags") == ["string", '["x", "ü"]', None, None]
    assert column(table, "n") == ["number", 1.0, 2.5, None]
    assert column(table, "code") == ["string", "007", "8", None]


@pytest.mark.parametrize(
    "cell",
    ["sub/c.png", "./sub/c.png", "sub\\c.png", "sub/c", "c.png", "c", " c.png "],
)
def test_files_are_named_with_or_without_folder_and_ending(write: WriteTable, cell: str) -> None:
    table = read_table(write(f"x,name\n1,{cell}\n"), FILES)
    assert table.key == "name"
    assert table.lookup("sub/c.png") is not None and table.lookup("a.jpg") is None


def test_the_most_exact_name_wins(write: WriteTable) -> None:
    text = "file,x\nc,1\nc.png,2\nsub/c,3\nsub/c.png,4\n"
    assert (read_table(write(text), FILES).lookup("sub/c.png") or {})["x"] == 4
    assert (read_table(write(text), FILES).lookup("other/c.png") or {})["x"] == 2


def test_composed_and_decomposed_letters_are_the_same(write: WriteTable) -> None:
    table = read_table(write("file,x\nCafe\u0301.jpg,1\nna\u00efve,2\n"), ["Caf\u00e9.jpg"])
    assert table.lookup("Caf\u00e9.jpg") is not None
    assert table.lookup("nai\u0308ve.jpg") is not None


@pytest.mark.parametrize(
    "name", ["a\\b.jpg", " a.jpg", "a\nb.jpg", "'; drop.jpg", "not utf \udcff"]
)
def test_odd_names_match_themselves(write: WriteTable, name: str) -> None:
    text = "\n".join(json.dumps({"file": each}) for each in [name, "other.jpg"])
    table = read_table(write(text, "t.jsonl"), [name])
    assert table.lookup(name) == {"file": name}


def test_the_column_that_finds_most_files_is_the_key(write: WriteTable) -> None:
    # "kind" has as many cells that name a file, but they all name the same one.
    lines = [f"1,{number}" for number in range(1, 6)]
    table = read_table(write("\n".join(["kind,id", *lines])), [f"{n}.jpg" for n in range(1, 6)])
    assert table.key == "id"


def test_a_table_for_the_last_folder_of_many_finds_its_key(write: WriteTable) -> None:
    files = [f"first/{number}.jpg" for number in range(5000)] + ["last/x.jpg"]
    assert read_table(write("file\nlast/x.jpg\n"), files).key == "file"


def test_rows_without_a_file_and_files_without_a_row_are_counted(write: WriteTable) -> None:
    table = read_table(write("file,x\na,1\nnone,2\na,3\n"), FILES)
    assert table.lookup("b.jpg") is None
    assert table.lookup("a.jpg") == {"file": "a", "x": 1}
    assert (table.row_count, table.unmatched_rows) == (3, 2)


def test_surplus_cells_belong_to_the_last_column_and_missing_ones_are_empty(
    write: WriteTable,
) -> None:
    text = "file,n,title\na,1,red, white, blue\n\nb,2,plain,,\nc\n"
    table = read_table(write(text), FILES)
    assert column(table, "title") == ["string", "red, white, blue", "plain", None]
    assert column(table, "n") == ["integer", 1, 2, None]


def test_nameless_columns_get_a_name(write: WriteTable) -> None:
    table = read_table(write(",file, x \n0,a,1\n1,b,2\n"), FILES)
    assert list(table.columns) == ["column 1", "file", "x"]


def test_cells_that_normalise_slowly_are_no_names(write: WriteTable) -> None:
    marks = "\u0301" * 100_000 + "\u0327" * 100_000
    started = time.process_time()
    table = read_table(write(f"file,text\na.jpg,{marks}\n"), ["a.jpg"])
    assert time.process_time() - started < 2
    assert table.lookup("a.jpg") == {"file": "a.jpg", "text": marks}


def test_very_long_cells_are_read(write: WriteTable) -> None:
    assert typed(write, "x" * 200_000)[:2] == ["string", "x" * 200_000]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.csv", b"", "no rows"),
        ("t.csv", b"file,x\n", "no rows"),
        ("t.jsonl", b"\n\n", "no rows"),
        ("t.csv", "file,x\na,Gr\xfcn\n".encode("latin-1"), "not UTF-8"),
        ("t.csv", "file,x\na,1\n".encode("utf-16"), "not UTF-8"),
        ("t.jsonl", b"\xff", "not UTF-8"),
        ("t.csv", b"file,x,x\na,1,2\n", "two columns named 'x'"),
        ("t.csv", b"file,x\nq,1\n", "No column of .* names the images .looked at file, x"),
        ("t.jsonl", b'{"file": "a"}\n{"file": }\n', "line 2 is not JSON"),
        ("t.jsonl", b'["a"]\n', "line 1 is not a JSON object"),
        ("t.jsonl", b'{"x":' + b"[" * 200_000, "cannot be read"),
        ("t.parquet", b"PAR1 but no more", "cannot be read"),
        ("t.xlsx", b"PK", "ends in one of"),
        ("table", b"file\na\n", "ends in one of .* not nothing"),
    ],
)
def test_unusable_tables_say_why(write: WriteTable, name: str, content: bytes, words: str) -> None:
    path = write(content, name)
    with pytest.raises(UsageError, match=words) as caught:
        read_table(path, FILES)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_metadata_file_is_the_given_one_or_the_folders_own(write: WriteTable) -> None:
    own = write("file\na\n", "metadata.csv")
    assert find_table(own.parent, None) == own
    other = write("file\na\n", "other.csv")
    assert find_table(own.parent, other) == other
    own.unlink()
    assert find_table(own.parent, None) is None
    with pytest.raises(UsageError, match="no metadata file"):
        find_table(own.parent, own)

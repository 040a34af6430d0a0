"""Texts that nobody would type: as instructions, conditions, names and arguments."""

import io
import re
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cir.cli.app import app
from cir.encoders.compact.encoder import CompactEncoder
from cir.errors import RecomposeError, UsageError
from cir.store import MilvusIndex, MilvusStore
from cir.store.filters import Condition, Operator, canonical, parse_where, spelling
from cir.store.wire import decode_text, encode_text
from tests.cir.store.samples import COLUMNS, DIM, row, unit

ANY = st.text(st.characters(exclude_categories=[]), max_size=40)
PIECES = [
    "a",
    '"',
    "'",
    "\\",
    "\n",
    "\0",
    "%",
    "_",
    "é",
    "e\u0301",
    "\u2028",
    "\ud800",
    "\U000f0000",
]
OPERATORS = ["=", "!=", "<", ">=", "~", " in ", ""]
ODD = st.lists(st.sampled_from([*PIECES, " or ", "==", ">", "{}", "[0]"]), max_size=8).map("".join)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> MilvusIndex:
    """An index with every type of column."""
    folder = tmp_path_factory.mktemp("fuzz")
    store = MilvusStore(str(folder / "recompose.db"), data_dir=folder)
    return store.create(
        "fuzz", encoder="test", fingerprint="0", precision="exact", dim=DIM, columns=COLUMNS
    )


@given(ANY | ODD)
def test_every_text_comes_back_from_the_wire(text: str) -> None:
    written = encode_text(text)
    assert decode_text(written) == text
    written.encode()
    assert not re.search(r"[\0-\x1f]", written)


@given(ANY | ODD, ANY | ODD)
def test_a_text_condition_finds_its_row_alone(index: MilvusIndex, mine: str, other: str) -> None:
    rows = [row("mine", metadata={"colour": mine}), row("other", metadata={"colour": other})]
    index.upsert(rows)
    for path, text in (("mine", mine), ("other", other)):
        try:
            condition = parse_where(f'colour="{text}"', COLUMNS)
        except UsageError:
            pytest.fail(f"refused: {text!r}")
        hits = index.search_vectors(unit(1.0)[None], 9, where=[condition])[0]
        assert {hit.path for hit in hits} >= {path}
        assert canonical(mine) == canonical(other) or len(hits) == 1


@given(
    st.sampled_from(["=", "!=", "<", ">=", "~", " in ", ""]),
    ANY | ODD,
    st.sampled_from([*COLUMNS, "x"]),
)
def test_any_condition_is_asked_or_refused(
    index: MilvusIndex, operator: str, value: str, column: str
) -> None:
    try:
        index.search_vectors(unit(1.0)[None], 3, where=[f"{column}{operator}{value}"])
    except UsageError as error:
        assert str(error)


@given(st.lists(ANY | ODD, min_size=1, max_size=4), st.sampled_from(["in", "=", "~"]))
def test_every_condition_has_a_spelling(texts: list[str], operator: Operator) -> None:
    value = tuple(dict.fromkeys(texts)) if operator == "in" else texts[0]
    condition = Condition("colour", operator, value)
    assert parse_where(spelling(condition), COLUMNS) == condition


@given(st.integers() | st.floats(), st.sampled_from(["year", "price"]))
def test_numbers_find_themselves(index: MilvusIndex, value: float, column: str) -> None:
    number = int(value) if column == "year" and abs(value) < 1e300 else value
    rows = [row("number", metadata={column: number})]
    try:
        index.upsert(rows)
    except RecomposeError as error:
        assert "number" in str(error)
        return
    hits = index.search_vectors(unit(1.0)[None], 3, where=[f"{column}={number!r}"])[0]
    assert [(hit.path, hit.metadata[column]) for hit in hits] == [("number", number)]


@given(st.lists(ANY | ODD, min_size=1, max_size=3))
def test_every_instruction_has_an_embedding(compact: CompactEncoder, texts: list[str]) -> None:
    rows = compact.encode_texts(texts)
    assert rows.shape == (len(texts), compact.spec.dim)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-4)
    assert len(compact.truncates(texts)) == len(texts)


COMMANDS = ["search", "index", "indexes", "drop", "encoders"]
OPTIONS = ["json", "where", "limit", "image", "text", "index", "name", "uri", "metadata", "help"]
WORDS = st.sampled_from(
    [*COMMANDS, *(f"--{name}" for name in OPTIONS), "-", "--", "0", "-1", "1e9", "a=b", "nowhere"]
)


@given(st.lists(WORDS | ANY.map(lambda text: text.replace("\0", "")), max_size=5))
def test_any_command_ends_in_words(
    tmp_path_factory: pytest.TempPathFactory, words: list[str]
) -> None:
    if "serve" in words:
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CIR_DATA_DIR", str(tmp_path_factory.getbasetemp() / "commands"))
        patched.chdir(tmp_path_factory.getbasetemp())
        patched.setattr("sys.argv", ["recompose", *words])
        patched.setattr("sys.stdin", io.StringIO())
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            app()
    assert ended.value.code in (None, 0, 1, 2), err.getvalue()
    assert "Traceback" not in err.getvalue()

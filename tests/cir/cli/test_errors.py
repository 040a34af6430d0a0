"""What goes wrong is one sentence, one exit code, and with `--json` one document."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cir.encoders.compact.encoder import FOLDER, CompactEncoder
from cir.indexing.folder import ingest
from cir.store import MilvusStore
from tests.cir.command_line import CommandLine
from tests.drawn import BAD_FILES, draw_album

TOKEN = "someone:hunter2-secret"
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures."""
    return draw_album(tmp_path_factory.mktemp("errors") / "album", kinds=1)


@pytest.fixture(scope="module")
def cir(tmp_path_factory: pytest.TempPathFactory, album: Path) -> CommandLine:
    """Commands with an index "x" of the pictures."""
    commands = CommandLine(tmp_path_factory.mktemp("errors") / "data")
    commands.document("index", album, "--name", "x")
    return commands


@pytest.fixture(scope="module")
def busy(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator["subprocess.Popen[str]"]:
    """A command whose Lite file another process holds; begun early, for it waits."""
    commands = CommandLine(tmp_path_factory.mktemp("busy"))
    file = commands.data_dir / "recompose.db"
    code = """
import sys
from pathlib import Path
from cir.store import MilvusStore
facts = {"encoder": "e", "fingerprint": "f", "precision": "exact", "dim": 4}
MilvusStore(sys.argv[1], data_dir=Path(sys.argv[1]).parent, idle_seconds=600).create("x", **facts)
print("open", flush=True)
input()
"""
    holder = commands.start(file, code=code)
    assert holder.stdout is not None and holder.stdout.readline() == "open\n"
    waiting = commands.start("indexes", "--json")
    yield waiting
    for process in (waiting, holder):
        process.kill()
        process.communicate()


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("search", "none", "--text", "red"), 2, 'There is no index "none"'),
        (("search", "x"), 2, "The query is empty"),
        (("search", "x", "--text", "red", "--where", "color=red"), 2, 'no column "color"'),
        (("search", "x", "--image", "/no/such file.jpg"), 2, "no image file /no/such file.jpg"),
        (("search", "x", "--text", "red", "--limit", "0"), 2, "--limit"),
        (("search", "x", "--text", "red", "--balance", "2"), 2, "--balance"),
        (("search", "x", "--text", "red", "--turn", "45"), 2, "0, 90, 180 or 270 degrees"),
        (("search", "x", "--text", "red", "--crop", "1,2"), 2, "left,top,right,bottom"),
        (("search", "x", "--text", "red", "--less", "red*99"), 2, "weight in 'red*99'"),
        (("search", "x", "--image", "0" * 32), 2, "no longer in this index"),
        (("search", "x", "--colour", "red"), 2, "--colour"),
        (("search",), 2, "Missing argument"),
        (("drop", "none"), 2, 'There is no index "none"'),
        (("index", "/no/such/folder", "--name", "y"), 2, "no folder /no/such/folder"),
        (("index", __file__, "--name", "y"), 2, "is a file, not a folder"),
        (("index", "/tmp"), 2, "--name NAME"),
        (("index", "none", "--re-encode"), 2, 'There is no index "none"'),
        (("index", "x", "--re-encode", "--prune"), 2, "neither --name, --metadata nor --prune"),
        (("indexes", "--uri", "ftp://somewhere"), 2, "CIR_MILVUS_URI"),
        (("indexes", "--uri", NOWHERE), 1, "cannot be reached"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_mistakes_are_one_document_and_one_exit_code(
    cir: CommandLine, arguments: tuple[str, ...], exit_code: int, words: str
) -> None:
    document = cir.document(*arguments, exit_code=exit_code)
    assert list(document) == ["error"]
    assert words in document["error"]


def test_mistakes_for_people_are_one_sentence_on_standard_error(cir: CommandLine) -> None:
    done = cir.run("search", "none", "--text", "red")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith('Error: There is no index "none"')
    assert 'There are: "x".' in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_references_are_named(cir: CommandLine, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(BAD_FILES[name])
    document = cir.document("search", "x", "--image", tmp_path / name, exit_code=1)
    assert document["error"].startswith(str(tmp_path / name))


def test_a_bad_table_is_wrong_use(cir: CommandLine, album: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("file,x\nnobody,1\n")
    document = cir.document("index", album, "--name", "x", "--metadata", path, exit_code=2)
    assert "No column" in document["error"] and str(path) in document["error"]


def test_an_index_of_another_encoder_names_both(cir: CommandLine, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "weights")
    with (tmp_path / "weights" / "tokenizer.json").open("a") as file:
        file.write("\n")
    other = CompactEncoder(tmp_path / "weights")
    folder = draw_album(tmp_path / "album", kinds=1)
    store = MilvusStore(str(cir.data_dir / "recompose.db"), data_dir=cir.data_dir)
    ingest(store, folder, "other", other)
    store.close()
    shutil.copy(FOLDER / "tokenizer.json", tmp_path / "weights")  # what it remembers has changed
    for arguments in (
        ("search", "other", "--text", "red"),
        ("index", folder, "--name", "other", "--encoder", "compact"),
    ):
        error = cir.document(*arguments, exit_code=2)["error"]
        assert other.fingerprint[:8] in error and CompactEncoder().fingerprint[:8] in error
        assert "python -m cir index NAME --re-encode" in error
    (listed,) = [x for x in cir.document("indexes")["indexes"] if x["name"] == "other"]
    assert (listed["state"], listed["count"]) == ("ready", 6)
    done = cir.document("index", "other", "--re-encode")
    assert (done["encoded"], done["from_thumbnails"], done["failed"]) == (6, [], [])
    assert len(cir.document("search", "other", "--text", "red")["hits"]) == 6
    cir.document("drop", "other")


def test_an_unknown_encoder_is_wrong_use(cir: CommandLine, album: Path) -> None:
    document = cir.document("index", album, "--name", "y", "--encoder", "compcat", exit_code=2)
    assert "Did you mean compact?" in document["error"]


@pytest.mark.parametrize("way", ["flag", "variable", "standard input", "in the address"])
def test_a_token_never_appears(cir: CommandLine, way: str) -> None:
    arguments = ["indexes", "--json", "--uri", NOWHERE]
    stdin, more = "", {}
    match way:
        case "flag":
            arguments += ["--token", TOKEN]
        case "variable":
            more = {"CIR_MILVUS_TOKEN": TOKEN}
        case "standard input":
            arguments += ["--token", "-"]
            stdin = TOKEN + "\n"
        case _:
            arguments[-1] = NOWHERE.replace("//", f"//{TOKEN}@")
    done = cir.run(*arguments, stdin=stdin, **more)
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_a_crash_is_a_document_too(cir: CommandLine) -> None:
    code = """
def crash(self):
    print("noise on standard output")
    import os; os.write(1, b"noise below it")
    raise RuntimeError("out of order")
from cir.store.store import MilvusStore
MilvusStore.list = crash
from cir.cli.app import app
app()
"""
    process = cir.start("indexes", "--json", code=code)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert out == '{\n  "error": "Unexpected: RuntimeError: out of order"\n}\n'
    assert "Traceback" in err and "noise below it" in err


def test_text_that_is_not_utf8_is_searched_for(cir: CommandLine) -> None:
    assert cir.document("search", "x", "--text", os.fsdecode(b"in r\xe9d"))["hits"]


def test_an_unwritable_data_folder_is_one_sentence(cir: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    document = cir.document("indexes", exit_code=2, CIR_DATA_DIR=str(tmp_path / "file" / "data"))
    assert "CIR_DATA_DIR" in document["error"]


@pytest.mark.parametrize("content", [b"words, not a database", b"SQLite format 3\0" + b"x" * 100])
def test_a_damaged_store_is_one_sentence(command_line: CommandLine, content: bytes) -> None:
    command_line.data_dir.mkdir()
    (command_line.data_dir / "recompose.db").write_bytes(content)
    document = command_line.document("indexes", exit_code=1)
    assert str(command_line.data_dir / "recompose.db") in document["error"]


def test_a_store_that_another_process_holds_is_one_sentence(
    busy: "subprocess.Popen[str]",
) -> None:
    out, err = busy.communicate(timeout=60)
    assert busy.returncode == 1
    assert '"error": "Another process holds the Milvus Lite file' in out
    assert err.count("\n") == 1 and "CIR_MILVUS_URI" in err

"""The large encoders from the command line, with a small checkpoint."""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cir.cli.app import app
from tests.cir.command_line import CommandLine
from tests.cir.hub import Hub, running_hub
from tests.drawn import draw_album
from tests.needs import needs
from tests.places import GOLDEN, REPOSITORY

needs("torch", "torch comes with requirements.txt")
NAME = "visualized-bge-base"


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    tokenizer = {
        path.name: path.read_bytes() for path in (GOLDEN / "tiny-base-tokenizer").iterdir()
    }
    weights = {"Visualized_base_en_v1.5.pth": (GOLDEN / "tiny-base.pth").read_bytes()}
    held = {"BAAI/bge-visualized": weights, "BAAI/bge-base-en-v1.5": tokenizer}
    with running_hub(held) as running:
        yield running


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an album, a checkpoint and a tokenizer."""
    folder = tmp_path_factory.mktemp("encoders")
    draw_album(folder / "album", kinds=1)
    shutil.copy(GOLDEN / "tiny-base.pth", folder)
    shutil.copytree(GOLDEN / "tiny-base-tokenizer", folder / "tiny-base-tokenizer")
    return folder


@pytest.fixture(scope="module")
def cir(home: Path) -> CommandLine:
    return CommandLine(home / "data")


@pytest.fixture(scope="module")
def made(cir: CommandLine, home: Path) -> str:
    """The name of an index made in bfloat16."""
    document = cir.document(
        *("index", home / "album", "--name", "tiny", "--encoder", NAME, "--precision", "bf16"),
        *("--weights", home / "tiny-base.pth", "--tokenizer", home / "tiny-base-tokenizer"),
        *("--device", "cpu"),
    )
    assert (document["added"], document["encoder"]) == (6, NAME)
    return "tiny"


def test_an_index_remembers_its_encoder(cir: CommandLine, made: str, home: Path) -> None:
    (listed,) = cir.document("indexes")["indexes"]
    assert (listed["encoder"], listed["precision"], listed["dim"]) == (NAME, "bf16", 128)
    done = cir.run(*ask(made, home), "--json")
    assert done.returncode == 0 and done.stderr == ""
    assert len(json.loads(done.stdout)["hits"]) == 5


def test_an_update_needs_no_options(cir: CommandLine, made: str, home: Path) -> None:
    done = cir.run("index", home / "album", "--name", made, "--encoder", NAME)
    assert "6 unchanged" in done.stdout and done.stderr == ""


def test_another_precision_is_warned_about(cir: CommandLine, made: str, home: Path) -> None:
    done = cir.run("index", home / "album", "--name", made, "--precision", "exact")
    assert done.returncode == 0
    assert "was made in bf16 precision, this encoder computes in exact" in done.stderr


def test_a_long_instruction_is_told(cir: CommandLine, made: str, home: Path) -> None:
    done = cir.run(*ask(made, home, " ".join(["tok200"] * 400)))
    assert "the instruction is too long; its end was not read" in done.stderr


def test_weights_that_moved_are_named_anew(cir: CommandLine, made: str, home: Path) -> None:
    moved = home / "elsewhere.pth"
    (home / "tiny-base.pth").rename(moved)
    done = cir.run(*ask(made, home))
    assert done.returncode == 1
    assert f"There are no weights at {home / 'tiny-base.pth'}. Put back" in done.stderr
    assert "--weights" in done.stderr
    # An update remembers where they are now.
    assert cir.run("index", home / "album", "--name", made, "--weights", moved).returncode == 0
    assert cir.run(*ask(made, home)).returncode == 0


def test_other_weights_are_refused(cir: CommandLine, made: str, home: Path) -> None:
    torch_file = home / "other.pth"
    code = """
import sys, torch
held = torch.load(sys.argv[1], weights_only=True)
held["visual_proj.bias"] += 1
torch.save(held, sys.argv[2])
"""
    cir.run(GOLDEN / "tiny-base.pth", torch_file, code=code)
    done = cir.run(*ask(made, home), "--weights", torch_file)
    assert done.returncode == 2
    assert "was made by other weights of the encoder" in done.stderr
    assert "--re-encode" in done.stderr


def test_without_leave_nothing_is_fetched(
    hub: Hub, command_line: CommandLine, home: Path, tmp_path: Path
) -> None:
    environment = hub.environment(tmp_path)
    arguments = ("index", home / "album", "--name", "x", "--encoder", NAME)
    done = command_line.run(*arguments, **environment)
    assert done.returncode == 1
    assert "needs Visualized_base_en_v1.5.pth (393 MB)" in done.stderr
    assert "--download fetches it" in done.stderr
    assert hub.asked == []
    assert command_line.document("indexes")["indexes"] == []


def test_with_leave_it_is_fetched(
    hub: Hub, command_line: CommandLine, home: Path, tmp_path: Path
) -> None:
    arguments = ("index", home / "album", "--name", "x", "--encoder", NAME, "--download")
    done = command_line.run(*arguments, **hub.environment(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"Downloading the encoder {NAME}: 393 MB from BAAI/bge-visualized" in done.stderr
    assert "6 added" in done.stdout


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_a_terminal_is_asked_first(
    hub: Hub, command_line: CommandLine, home: Path, tmp_path: Path, answer: str, code: int
) -> None:
    hub.asked.clear()
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "cir", "index", home / "album", "--name", "x", "--encoder", NAME],
        cwd=REPOSITORY,
        env=command_line.environment(**hub.environment(tmp_path)),
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    os.close(ours)
    os.close(theirs)
    assert f"The encoder {NAME} is not on this machine. Download 393 MB? [y/N]" in done.stderr
    assert done.returncode == code
    assert bool(hub.fetched()) == (code == 0)
    assert ("It was not downloaded" in done.stderr) == (code == 1)


def test_wrong_options_are_sentences(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path / "data"))
    command = CliRunner()
    files = ("--weights", GOLDEN / "tiny-base.pth", "--tokenizer", GOLDEN / "tiny-base-tokenizer")
    start = ("index", home / "album", "--name", "x", "--encoder", NAME)
    for more, sentence in (
        ((*files, "--precision", "int3"), "no precision 'int3'"),
        ((*files, "--precision", "fp16", "--device", "cpu"), "fp16 needs a GPU"),
        ((*files, "--device", "tpu"), "no device 'tpu'"),
        ((*files[:2], "--tokenizer", tmp_path / "none"), "no tokenizer folder"),
        (("--weights", tmp_path / "none", *files[2:]), "no weights at"),
        (("--weights", home / "album" / "red.png", *files[2:]), "cannot be read"),
    ):
        done = command.invoke(app, [*map(str, (*start, *more))])
        assert done.exit_code == 1 and sentence in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
    start = ("index", home / "album", "--name", "x", "--precision", "bf16")
    done = command.invoke(app, [*map(str, start)])
    assert "compact computes exactly, not in 'bf16'" in done.stderr


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_table_of_encoders_fits(command_line: CommandLine, columns: str) -> None:
    done = command_line.run("encoders", COLUMNS=columns, HF_HOME=str(command_line.data_dir))
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= int(columns)
    for name in ("compact", NAME, "visualized-bge-m3", "bge-vl-base", "bge-vl-large"):
        assert any(line.startswith(name + " ") for line in lines), done.stdout


def ask(index: str, home: Path, text: str = "tok200") -> tuple[object, ...]:
    return ("search", index, "--image", home / "album" / "red.png", "--text", text)

"""A query's shell line and its lines of Python run as they are printed."""

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import cir
from cir.search import USUAL, SearchOptions
from cir.search.repeating import python_lines, shell_line
from tests.cir.command_line import CommandLine
from tests.drawn import COLOURS, draw_album

NAME = 'it\'s "a" $HOME, ü'
RED, GREEN, PURPLE = (cir.image_id(f"{colour}.png") for colour in ("red", "green", "purple"))


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A data folder with indexes of these names, made by this process."""
    commands = CommandLine(tmp_path_factory.mktemp("repeating") / "data")
    folder = draw_album(tmp_path_factory.mktemp("repeating") / "album", kinds=2)
    lines = [f"{colour},{number}" for number, colour in enumerate(COLOURS)]
    (folder / "metadata.csv").write_text("\n".join(["file,number", *lines]))
    store = cir.Store(data_dir=commands.data_dir)
    for name in (NAME, "-x"):
        store.index(name, folder)
    store.close()
    return commands


CASES: dict[str, tuple[str, Sequence[str], str, SearchOptions]] = {
    "plain": (NAME, [RED], "in blue", USUAL),
    "all": (
        NAME,
        [f"{RED}*0.5", GREEN],
        'it\'s "blue"; `ls` $HOME \\ \n é',
        SearchOptions(
            limit=4,
            where=["number>=1", "number<5"],
            balance=0.3,
            less=["red*0.5", 'a "dress"'],
            less_image=[f"{PURPLE}*2"],
            crop="0,0,1,0.5",
            turn=90,
            threshold=-0.5,
            group_by="number",
            fold=True,
        ),
    ),
    "dashes": ("-x", [], "-red", SearchOptions(less=["-blue"])),
}


@pytest.mark.parametrize(("name", "images", "text", "options"), CASES.values(), ids=list(CASES))
def test_what_is_printed_runs_and_finds_the_same(
    commands: CommandLine, name: str, images: Sequence[str], text: str, options: SearchOptions
) -> None:
    store = cir.Store(data_dir=commands.data_dir)
    found = store.index(name).search(list(images), text, **vars(options))
    store.close()
    expected = [f"{hit.score:7.4f}  {hit.path}" for hit in found]
    line = shell_line(name, images, text, options)
    assert line.startswith("python -m cir search ")
    printed = run(commands, ["sh", "-c", line])
    assert [each[: len(told)] for each, told in zip(printed, expected, strict=True)] == expected
    lines = python_lines(name, images, text, options)
    assert run(commands, [sys.executable, "-c", lines]) == expected


def run(commands: CommandLine, words: Sequence[str]) -> list[str]:
    """Lines that a command prints, `python` being this one."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = commands.environment(PATH=path, PYTHONIOENCODING="utf-8")
    done = subprocess.run(
        words, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_what_is_usual_needs_no_word() -> None:
    assert shell_line("shop", text="red") == "python -m cir search shop --text red"
    assert "index.search(image='a.jpg')" in python_lines("shop", ["a.jpg"])


def test_where_the_index_is_can_be_said(commands: CommandLine) -> None:
    uri = str(commands.data_dir / "recompose.db")
    line = shell_line("-x", text="red", uri=uri)
    assert shlex.split(line)[4:] == ["--text", "red", "--uri", uri, "--", "-x"]
    assert f"cir.Store({uri!r}).index('-x')" in python_lines("-x", text="red", uri=uri)

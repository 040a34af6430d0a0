"""What the libraries say to people: which flag or command mends it is known to the faces alone."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cir.cli import console
from cir.errors import RecomposeError, UsageError, WayOut
from eval.cli.words import WORDS
from eval.errors import BenchWayOut
from pages.parts.metrics import progress
from tests.places import REPOSITORY

FACES = {"cli", "training", "__main__.py", "repeating.py"}
"""Command lines, which know flags, and what writes a line for one."""

FLAG = re.compile(r"--[a-z]{2,}|python -m")


def library_files() -> Iterator[Path]:
    for package in ("cir", "eval"):
        for path in sorted((REPOSITORY / package).rglob("*.py")):
            if not FACES & set(path.relative_to(REPOSITORY / package).parts):
                yield path


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every string of a file that is no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.lineno, node.value


def test_no_message_of_a_library_names_a_flag_or_a_command() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}: {text}"
        for path in library_files()
        for line, text in texts(path)
        if FLAG.search(text)
    ]
    assert found == []


def test_the_command_line_says_every_way_out_in_its_own_words() -> None:
    assert set(WORDS) == {*WayOut, *BenchWayOut}
    assert set(console.WORDS) == set(WayOut)


@pytest.mark.parametrize("way", BenchWayOut)
def test_no_way_out_on_the_page_is_a_flag(way: BenchWayOut) -> None:
    error = UsageError("It cannot be done.", way)
    assert not FLAG.search(str(error))
    assert not FLAG.search(error.worded(progress.WORDS))
    assert error.worded(WORDS).startswith("It cannot be done. ")


def test_an_error_keeps_its_ways_out_in_another_message() -> None:
    error = RecomposeError("a", WayOut.OTHER_DEVICE)
    again = UsageError(f"b: {error.message}", *error.ways_out)
    assert again.worded({WayOut.OTHER_DEVICE: "c"}) == "b: a c"

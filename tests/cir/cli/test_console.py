"""The progress bar of both command lines."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from cir.cli.console import progress_bar
from cir.progress import Progress
from tests.cir.command_line import CommandLine
from tests.places import REPOSITORY


def test_the_bar_tells_each_stage_and_what_is_still_looked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("COLUMNS", "200")
    with progress_bar() as on_progress:
        on_progress(Progress("Drawing [1]", 3, 3))
        on_progress(Progress("Indexing", 3, 20, growing=True))
        time.sleep(0.3)  # for the bar to be drawn
        early = capsys.readouterr().err
        on_progress(Progress("Indexing", 40, 40, rate=12.0, failed=1))
    out, late = capsys.readouterr()
    assert "Drawing [1]" in early and "3 of at least 20 · still looking" in early
    assert "40 of 40 · 12/s · 1 failed" in late
    assert out == ""


def test_without_a_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as on_progress:
        on_progress(Progress("Indexing", 3, 20))
    assert capsys.readouterr().err == ""


def test_a_wait_is_a_line_where_no_bar_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as on_progress:
        for waiting in ("", "Milvus at x", "Milvus at x", "", "Milvus at x"):
            on_progress(Progress("Indexing", 3, 20, waiting=waiting))
    assert capsys.readouterr().err == "Waiting for Milvus at x to answer.\n" * 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that is always full is Linux's")
def test_a_document_for_which_there_is_no_room_is_one_sentence(command_line: CommandLine) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "cir", "indexes", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=command_line.environment(),
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "Error: the document cannot be written (No space left on device).\n"

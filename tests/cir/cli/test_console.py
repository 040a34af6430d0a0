"""The progress bar of both command lines."""

import time

import pytest

from cir.cli.console import progress_bar
from cir.progress import Progress


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
    assert "Drawing [1]" in early and "3 of at least 20, still looking" in early
    assert "40 of 40 · 12/s · 1 failed" in late
    assert out == ""


def test_without_a_terminal_there_is_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as on_progress:
        on_progress(Progress("Indexing", 3, 20))
    assert capsys.readouterr().err == ""

"""What people read on a terminal."""

from typing import Any

import pytest

from cir.cli.output import (
    FAILURES_SHOWN,
    duration,
    print_hits,
    print_indexes,
    print_ingest,
    printable,
)
from cir.indexing.folder import FailedImage, IngestReport
from cir.store import Hit, IndexInfo


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "?"), (0.4, "0 s"), (89, "89 s"), (90, "2 min"), (5300, "88 min"), (7500, "2 h 5 min")],
)
def test_times_are_for_people(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a b.jpg", "a b.jpg"), ("名 😀", "名 😀"), ("a\nb\t", "a\\nb\\t"), ("\udcff", "\\udcff")],
)
def test_any_text_fits_a_line(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_hit_is_one_line_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    print_hits([Hit("0" * 32, "a\nb.jpg", 0.5, {"x": "two\nlines", "y": "\udcff", "z": 1})])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [" 0.5000  a\\nb.jpg  x=two\\nlines, y=\\udcff, z=1"]


def test_many_failures_are_cut_short(capsys: pytest.CaptureFixture[str]) -> None:
    failed = [FailedImage(f"{number}.jpg", "why") for number in range(FAILURES_SHOWN + 3)]
    print_ingest(IngestReport("x", "compact", failed=failed))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == FAILURES_SHOWN + 2
    assert lines[1] == "  '0.jpg': why" and "3 more" in lines[-1]


def test_an_unfinished_index_is_shown_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    facts: dict[str, Any] = {"kind": "index", "fingerprint": "", "precision": "exact"}
    facts |= {"weights": None, "dim": 2, "source": None, "collection": "", "encoder": "e"}
    print_indexes([IndexInfo(name="[red]", count=7, **facts)])
    shown = capsys.readouterr().out
    assert "[red]" in shown and "7 (incomplete)" in shown

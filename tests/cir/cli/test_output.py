"""What people read on a terminal."""

from pathlib import Path
from typing import Any

import pytest

from cir.cli.output import (
    FAILURES_SHOWN,
    print_hits,
    print_indexes,
    print_ingest,
    print_rebuilt,
    warn_far,
)
from cir.indexing.folder import FailedImage, IngestReport
from cir.search import Query, SearchOptions
from cir.settings import Settings
from cir.store import Hit, IndexInfo, UsualScore, UsualScores
from cir.store.records import Recall


def test_a_hit_is_one_line_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    print_hits([Hit("0" * 32, "a\nb.jpg", 0.5, {"x": "two\nlines", "y": "\udcff", "z": 1})])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [" 0.5000  a\\nb.jpg  x=two\\nlines, y=\\udcff, z=1"]


def test_a_hit_tells_what_stands_behind_it(capsys: pytest.CaptureFixture[str]) -> None:
    under = (Hit("1" * 32, "b.jpg", 0.4),)
    print_hits([Hit("0" * 32, "a.jpg", 0.5, {}, folded=under, group_size=7)])
    assert capsys.readouterr().out == " 0.5000  a.jpg  (1 more like it, 7 in the group)\n"


def test_a_query_with_nothing_close_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    usual = UsualScores(500, sentence=UsualScore(0.2, 0.27, 100))
    query = Query(instruction="a picture of a dog")
    warn_far(usual, query, [Hit("0" * 32, "a.jpg", 0.1)], SearchOptions())
    told = capsys.readouterr().err
    assert told.startswith("Note: nothing here is close to this: the best score is 0.10, ")
    assert "usually 0.27" in told


def test_many_failures_are_cut_short(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    failed = [FailedImage(f"{number}.jpg", "why") for number in range(FAILURES_SHOWN + 3)]
    print_ingest(
        IngestReport("x", "compact", failed=failed), Settings(None, None, tmp_path, "compact")
    )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == FAILURES_SHOWN + 2
    assert lines[1] == "  '0.jpg': why" and "3 more" in lines[-1]


def test_an_unfinished_index_is_shown_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    facts: dict[str, Any] = {"kind": "index", "fingerprint": "", "precision": "exact"}
    facts |= {"weights": None, "dim": 2, "source": None, "collection": "", "encoder": "e"}
    print_indexes([IndexInfo(name="[red]", count=7, **facts)], "Milvus Lite")
    shown = capsys.readouterr().out
    assert "[red]" in shown and "7 (incomplete)" in shown


def test_how_exact_searches_are_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    facts: dict[str, Any] = {"kind": "index", "fingerprint": "", "precision": "exact"}
    facts |= {"weights": None, "dim": 2, "source": None, "collection": "", "encoder": "e"}
    facts |= {"count": 200_000, "state": "ready"}
    recall = Recall(at=20, mean=0.973, worst=0.85, sample=50, images=200_000)
    told: list[tuple[str, dict[str, Any], str]] = [
        ("Milvus Lite", {"index_type": "FLAT"}, "exact"),
        ("Milvus Lite", {"index_type": "AUTOINDEX"}, "misses images"),
        ("Milvus Lite", {"index_type": "AUTOINDEX", "count": 80_000}, "exact"),
        (
            "Milvus server",
            {"index_type": "AUTOINDEX", "recall": recall},
            "recall@20 0.97, at worst",
        ),
        ("Milvus server", {"index_type": "AUTOINDEX"}, "recall not measured"),
        ("Milvus server", {"index_type": "AUTOINDEX", "count": 9_000}, "recall not measured"),
        (
            "Milvus server",
            {"index_type": "AUTOINDEX", "count": 9_000, "recall": recall},
            "misses images",
        ),
        ("Zilliz Cloud", {"index_type": "AUTOINDEX", "count": 9_000}, "recall not measured"),
    ]
    for backend, more, words in told:
        info = IndexInfo(name="n", **(facts | more))
        print_indexes([info], backend)
        print_rebuilt(info, backend)
        table, sentence = capsys.readouterr().out.rsplit("Rebuilt", 1)
        assert words.split()[0] in table and words in sentence

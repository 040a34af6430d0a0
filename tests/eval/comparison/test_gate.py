"""What makes an automatic check fail: a minimum, or a run that is worse than another."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from eval.cli.app import app
from eval.comparison.comparing import compare
from eval.comparison.gate import falls
from eval.comparison.paired import contender
from eval.sets.labelled import LabelledSet
from tests.eval.command_line import QRELS, QUERIES, Evaluate, WriteSet, document_of
from tests.eval.comparison.test_clusters import labelled, put_run

__all__ = ["labelled"]  # a fixture

GOOD = [1 if number % 3 else 20 for number in range(60)]
# Kinds alone are lost, those of eleven references.
LOST = [20 if number % 3 == 1 and number < 44 else rank for number, rank in enumerate(GOOD)]
BAD = [20] * 60


@pytest.fixture
def runs(
    tmp_path: Path,
    labelled: LabelledSet,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The folder of the runs good, again, lost and bad."""
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path))
    for name, ranks in (("good", GOOD), ("again", GOOD), ("lost", LOST), ("bad", BAD)):
        put_run(tmp_path / "runs" / name, labelled, ranks)
    return tmp_path / "runs"


def ask(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_a_run_is_worse_where_chance_does_not_explain_it(runs: Path) -> None:
    good, again, lost = (contender(name, runs) for name in ("good", "again", "lost"))
    assert falls(compare([good, again])) == []
    assert falls(compare([lost, good])) == []
    overall, group = falls(compare([good, lost]))
    assert overall.startswith("lost is worse than good in recall@10: 0.4167 after 0.6667, 25.0 ")
    assert group.startswith(
        "lost is worse than good in recall@10 of the group kind: 0.2500 after 1"
    )
    assert "over 15 reference images; p = " in overall


def test_a_worse_run_has_an_exit_code_of_its_own(runs: Path) -> None:
    assert ask("compare", "again", "--not-worse-than", "good").exit_code == 0
    worse = ask("compare", "again", "bad", "--not-worse-than", "good")
    assert worse.exit_code == 4
    assert "bad is worse than good in recall@10: 0.0000 after 0.6667, 66.7 points less" in (
        worse.stderr
    )
    assert "again is worse" not in worse.stderr
    document = json.loads(ask("compare", "bad", "--not-worse-than", "good", "--json").stdout)
    assert len(document["worse"]) == 3  # overall, and in the two groups that found anything
    assert "worse" not in json.loads(ask("compare", "bad", "good", "--json").stdout)


def test_minimums_hold_for_each_run_but_the_first(runs: Path) -> None:
    assert ask("compare", "bad", "good", "--min", "recall@10=0.6").exit_code == 0
    missed = ask(
        *("compare", "good", "again", "bad", "--min", "recall@10=0.6", "--min", "recall@3=0.6")
    )
    assert missed.exit_code == 3
    assert missed.stderr == (
        "Minimum missed: bad: recall@10 is 0.0000, below 0.6; bad: recall@3 is 0.0000, below 0.6.\n"
    )
    both = ask("compare", "bad", "--not-worse-than", "good", "--min", "mrr=0.5")
    assert both.exit_code == 3
    assert "bad is worse than good" in both.stderr


def test_a_report_is_written_and_checked(runs: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    report = ("report", "bad", "--html", page)
    assert ask(*report, "--min", "recall@50=0.9", "--not-worse-than", "bad:composed").exit_code == 2
    assert ask("report", "again", "--html", page, "--not-worse-than", "good").exit_code == 0
    worse = ask(*report, "--not-worse-than", "good", "--json")
    assert worse.exit_code == 4
    assert json.loads(worse.stdout)["worse"] and page.is_file()
    assert ask(*report, "--min", "recall@10=0.1").exit_code == 3


def test_a_new_run_is_checked_against_an_earlier_one(
    evaluate: Evaluate, write_set: WriteSet, gallery: Path
) -> None:
    asked = ("--set", write_set(QUERIES, QRELS), "--gallery", gallery, "--json")
    first = document_of(evaluate(*asked))
    assert "worse" not in first
    assert document_of(evaluate(*asked, "--not-worse-than", first["run"]))["worse"] == []
    other = write_set(QUERIES[:2], QRELS[:2], name="other")
    refused = evaluate("--set", other, "--gallery", gallery, "--not-worse-than", first["run"])
    assert refused.exit_code == 2
    assert "runs of different sets do not compare" in refused.stderr
    assert evaluate(*asked, "--not-worse-than", "no such run").exit_code == 2

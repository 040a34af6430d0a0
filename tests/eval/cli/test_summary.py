"""Figures of a run as a table, and the minimum that somebody demands."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from cir.errors import UsageError
from eval.cli.app import app
from eval.cli.summary import parse_minimum, print_figures
from eval.measures import Recall, RecallSubset, ReciprocalRank
from tests.eval.uploads import document


def test_wide_figures_are_printed_in_several_tables() -> None:
    text = io.StringIO()
    names = [f"recall@{k}" for k in range(1, 8)]
    figures_of = dict(zip(names, [0.1 * k for k in range(7)], strict=True))
    print_figures("a run", names, [("all", 3, figures_of)], [], Console(file=text, width=80))
    assert text.getvalue().count("a run") == 2
    assert all(name in text.getvalue() for name in names)


def test_a_pipe_cuts_no_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path))
    names = ["recall@1", "recall@10", "mrr", *(f"recall_fraction@{k}" for k in range(10, 18))]
    figures = dict.fromkeys(names, 0.5)
    for name in ("dress", "shirt"):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        (folder / "run.json").write_bytes(document(set=name, metrics=figures, modes={}))
    printed = CliRunner().invoke(app, ["mean", "dress", "shirt"]).stdout
    assert all(name in printed for name in names)


def test_a_minimum_is_a_measure_and_a_number() -> None:
    assert parse_minimum("recall@10=0.7") == (Recall(10), 0.7)
    assert parse_minimum("recall@3=0.5") == (Recall(3), 0.5)
    assert parse_minimum("mrr=1") == (ReciprocalRank(), 1.0)
    assert parse_minimum("recall_subset@1=0.3") == (RecallSubset(1), 0.3)


@pytest.mark.parametrize(
    "text", ["recall@10", "recal@3=0.5", "mrr=x", "mrr=nan", "mrr=70", "=", "negatives@10=0.1"]
)
def test_a_minimum_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--min"):
        parse_minimum(text)

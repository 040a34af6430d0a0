"""A run once more: the same figures and rankings, or what differs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import eval as bench
from cir.errors import UsageError
from eval.cli.app import app
from tests.eval.command_line import Evaluate, document_of


def repeat(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["repeat", *map(str, arguments)])
    return result.exit_code, result.stdout


def test_a_run_is_the_same_to_the_byte(evaluate: Evaluate, labelled: Path, gallery: Path) -> None:
    asked = ("--set", labelled, "--gallery", gallery, "--ablations", "--keep-reference")
    run = document_of(evaluate(*asked, "--balance", "0.25", "--measure", "recall@3", "--json"))
    kept = json.loads((Path(run["run"]) / "run.json").read_text())
    assert kept["recompose"]["version"]
    assert kept["device"] == "cpu"
    assert (run["seconds"]["total"], kept["date"]) > (0, "2")
    document = bench.repeat(Path(run["run"]).name)
    assert (document["same"], document["figures"]) == (True, {})
    assert document["repeats"] != document["run"]
    assert all(each["bytes"] for each in document["rankings"].values())
    assert set(document["rankings"]) == {f"{mode}.trec" for mode in run["modes"]}
    again = bench.open_run(document["run"])
    assert again.metrics == run["metrics"]
    assert again.part("settings") == kept["settings"]
    code, said = repeat(run["run"])
    assert code == 0
    assert "Figures: the same." in said and "composed.trec: the same, to the byte" in said


def test_what_differs_is_said(evaluate: Evaluate, labelled: Path, gallery: Path) -> None:
    run = Path(document_of(evaluate("--set", labelled, "--gallery", gallery, "--json"))["run"])
    kept = json.loads((run / "run.json").read_text())
    kept["metrics"]["mrr"] = 0.125
    kept["versions"]["numpy"] = "0"
    (run / "run.json").write_text(json.dumps(kept))
    lines = (run / "composed.trec").read_text().splitlines()
    first, second = (line.split()[2] for line in lines[:2])
    swapped = [lines[0].replace(first, second), lines[1].replace(second, first), *lines[2:]]
    (run / "composed.trec").write_text("\n".join(swapped) + "\n")
    code, said = repeat(run)
    assert code == 3
    assert "composed, mrr: 0.125 before" in said
    assert "composed.trec: 1 queries differ, the first 'q1'" in said
    assert "Made with another versions" in said


def test_a_figure_that_only_one_version_tells_does_not_differ(
    evaluate: Evaluate, labelled: Path, gallery: Path
) -> None:
    run = Path(document_of(evaluate("--set", labelled, "--gallery", gallery, "--json"))["run"])
    kept = json.loads((run / "run.json").read_text())
    del kept["metrics"]["mrr"]
    (run / "run.json").write_text(json.dumps(kept))
    document = bench.repeat(run)
    assert document["same"]
    assert document["one_side"] == {"before": [], "after": ["composed, mrr"]}
    assert "Figures that the run after alone tells: composed, mrr." in repeat(run)[1]


def test_what_cannot_be_repeated_is_said(evaluate: Evaluate, labelled: Path, gallery: Path) -> None:
    run = Path(document_of(evaluate("--set", labelled, "--gallery", gallery, "--json"))["run"])
    queries = labelled / "queries.jsonl"
    queries.write_text(queries.read_text().replace("in blue", "in pink"))
    with pytest.raises(UsageError, match="has changed since the run"):
        bench.repeat(run)
    kept = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(kept | {"imported": "found.trec"}))
    with pytest.raises(UsageError, match="what another system found"):
        bench.repeat(run)
    (run / "run.json").write_text(json.dumps(kept | {"settings": {}}))
    with pytest.raises(UsageError, match="does not say where its labelled set is"):
        bench.repeat(run)

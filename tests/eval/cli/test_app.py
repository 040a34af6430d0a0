"""`python -m eval run` from end to end: real encoder, real store, drawn pictures."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eval.cli.app import app
from tests.eval.command_line import MODES, NAMES, QRELS, QUERIES, Evaluate, document_of, rankings
from tests.places import REPOSITORY


def test_the_document_with_ablations_and_the_run_on_disk(
    evaluate: Evaluate, labelled: Path, gallery: Path, data_dir: Path
) -> None:
    document = document_of(
        evaluate("--set", labelled, "--gallery", gallery, "--ablations", "--json")
    )
    assert (document["set"], document["encoder"], document["queries"]) == ("set", "compact", 3)
    assert list(document["metrics"])[: len(NAMES)] == NAMES
    assert list(document["modes"]) == MODES
    assert document["modes"]["composed"] == document["metrics"]
    assert {name: group["queries"] for name, group in document["groups"].items()} == {
        "colour": 2,
        "pattern": 1,
    }
    for figures in (*document["modes"].values(), *document["groups"].values()):
        recalls = [figures[name] for name in NAMES if name.startswith("recall")]
        assert recalls == sorted(recalls)
        assert figures["recall@1"] <= figures["mrr"] <= figures["recall@50"] == 1.0
    assert {"gallery", "queries", "total"} <= set(document["seconds"])

    run = Path(document["run"])
    assert run.parent == data_dir / "runs"
    kept = json.loads((run / "run.json").read_text())
    assert document.items() <= kept.items()
    assert kept["gallery"]["images"] == 12
    assert kept["settings"]["split"] == "test"
    assert (kept["settings"]["encoder"], kept["settings"]["weights"]) == ("compact", None)
    assert {"encoder_fingerprint", "set_fingerprint", "versions", "date"} <= set(kept)
    with (run / "queries.csv").open(newline="") as file:
        table = {row["id"]: row for row in csv.DictReader(file)}
    for mode in MODES:
        ranked = rankings(run, mode)
        for query, (_, target, _) in zip(QUERIES, QRELS, strict=True):
            paths = ranked[query["_id"]]
            assert query["image"] not in paths
            assert len(paths) == len(set(paths)) == 11
            assert paths.index(target) + 1 == int(table[query["_id"]][mode])


def test_without_ablations_there_is_the_composed_query_alone(
    evaluate: Evaluate, labelled: Path, gallery: Path
) -> None:
    document = document_of(evaluate("--set", labelled, "--gallery", gallery, "--json"))
    assert "modes" not in document
    names = sorted(path.name for path in Path(document["run"]).iterdir())
    assert names == ["composed.trec", "queries.csv", "run.json"]


def test_a_run_with_words_keeps_that_it_had_them(
    evaluate: Evaluate, labelled: Path, own_gallery: Path
) -> None:
    names = [f"{path.relative_to(own_gallery)}" for path in own_gallery.rglob("*.png")]
    lines = [f'"{name}",{name.replace("/", " ").removesuffix(".png")}' for name in names]
    (own_gallery / "metadata.csv").write_text("\n".join(["file,name", *lines]))
    arguments = ("--set", labelled, "--gallery", own_gallery, "--ablations", "--json")
    plainly = document_of(evaluate(*arguments))
    document = document_of(evaluate(*arguments, "--words"))
    settings = json.loads((Path(document["run"]) / "run.json").read_text())["settings"]
    assert settings["words"] is True
    assert document["modes"]["image"] == plainly["modes"]["image"]
    assert document["modes"]["text"]["mrr"] > plainly["modes"]["text"]["mrr"]
    result = evaluate("--set", labelled, "--gallery", own_gallery.parent / "none", "--words")
    assert result.exit_code == 2


def test_a_missed_minimum_is_an_exit_code_of_its_own(
    evaluate: Evaluate, labelled: Path, own_gallery: Path
) -> None:
    arguments = ("--set", labelled, "--gallery", own_gallery, "--json")
    assert evaluate(*arguments, "--min", "recall@50=1", "--min", "mrr=0").exit_code == 0
    shutil.rmtree(own_gallery / "striped ones")
    missed = evaluate(*arguments, "--allow-missing", "--min", "recall@50=0.9", "--min", "mrr=0")
    assert missed.exit_code == 3
    assert json.loads(missed.stdout)["queries"] == 3
    assert "recall@50 is 0.3333, below 0.9" in missed.stderr


def test_a_run_goes_where_it_is_told_and_overwrites_nothing(
    evaluate: Evaluate, labelled: Path, gallery: Path, tmp_path: Path
) -> None:
    arguments = ("--set", labelled, "--gallery", gallery, "--out", tmp_path / "mine")
    assert evaluate(*arguments).exit_code == 0
    before = (tmp_path / "mine" / "run.json").read_bytes()
    again = evaluate(*arguments)
    assert again.exit_code == 2
    assert "is not empty" in again.stderr
    assert (tmp_path / "mine" / "run.json").read_bytes() == before


def test_the_table_for_people(evaluate: Evaluate, labelled: Path, gallery: Path) -> None:
    result = evaluate("--set", labelled, "--gallery", gallery, "--ablations")
    assert result.exit_code == 0, result.stderr
    for word in (*MODES, "pattern", "recall@10", "mrr", "Run: "):
        assert word in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either --gallery FOLDER or --index NAME"),
        (["--gallery", "photos", "--index", "x"], "either --gallery FOLDER or --index NAME"),
        (["--gallery", "nowhere"], "There is no folder nowhere"),
        (["--gallery", "empty"], "no image"),
        (["--index", "no such index"], "no such index"),
        (["--gallery", "photos", "--encoder", "no-such"], "no-such"),
        (["--gallery", "photos", "--split", "val"], "no split 'val'"),
        (["--gallery", "photos", "--min", "recall@10"], "--min"),
    ],
)
def test_wrong_use_is_said_in_a_sentence(
    evaluate: Evaluate,
    labelled: Path,
    gallery: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(gallery, "photos")
    Path("empty").mkdir()
    result = evaluate("--set", labelled, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert (result.stdout, "Traceback" in result.stderr) == ("", False)


def test_a_run_is_deleted_by_its_name(
    evaluate: Evaluate, labelled: Path, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(document_of(evaluate("--set", labelled, "--gallery", gallery, "--json"))["run"])
    monkeypatch.setenv("CIR_READ_ONLY", "true")
    assert CliRunner().invoke(app, ["delete", run.name]).exit_code == 2
    monkeypatch.delenv("CIR_READ_ONLY")
    assert run.is_dir()
    result = CliRunner().invoke(app, ["delete", run.name, "--json"])
    assert document_of(result) == {"deleted": run.name}
    assert not run.exists()
    assert "There is no run" in CliRunner().invoke(app, ["delete", run.name]).stderr


def test_as_a_program_it_prints_one_document(labelled: Path, gallery: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "eval", "run", "--set", labelled, "--gallery", gallery]
    environment = os.environ | {"CIR_DATA_DIR": str(tmp_path / "data"), "CIR_MILVUS_URI": ""}
    done = subprocess.run(
        [*map(str, command), "--json"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["queries"] == 3


def test_importing_loads_no_heavy_library() -> None:
    code = (
        "import sys, eval.evaluation.running, eval.__main__;"
        "print({'torch', 'pymilvus', 'onnxruntime', 'streamlit'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"

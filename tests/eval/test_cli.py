"""`python -m eval run` from end to end: real encoder, real store, drawn pictures."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL.Image import Image
from typer.testing import CliRunner, Result

from cir.encoders.base import Embeddings
from cir.encoders.registry import load_encoder
from cir.ingest import ingest
from cir.settings import load_settings
from cir.store import Store
from eval.__main__ import app
from eval.metrics import MEASURES
from eval.runs import plain_id

REPOSITORY = Path(__file__).resolve().parents[2]
NAMES = [str(measure) for measure in MEASURES]
MODES = ["composed", "image", "text", "sum"]
QUERIES = [
    {"_id": "q1", "image": "red.png", "text": "in blue", "group": "colour"},
    {"_id": "q2", "image": "green.png", "text": "with stripes", "group": "pattern"},
    {"_id": "q3", "image": "striped ones/blue.png", "text": "in red", "group": "colour"},
]
QRELS = [
    ("q1", "blue.png", 1),
    ("q2", "striped ones/green.png", 1),
    ("q3", "striped ones/red.png", 1),
]

Evaluate = Callable[..., Result]
WriteSet = Callable[..., Path]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for the module, so that Milvus Lite starts once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def evaluate(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    """A function that runs `python -m eval run` with these arguments, in this process."""
    for name in ("CIR_MILVUS_URI", "CIR_MILVUS_TOKEN", "CIR_ENCODER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CIR_DATA_DIR", str(data_dir))
    return lambda *arguments: CliRunner().invoke(app, ["run", *map(str, arguments)])


@pytest.fixture
def labelled(write_set: WriteSet) -> Path:
    """A labelled set of three queries over the drawn gallery."""
    return write_set(QUERIES, QRELS)


def document_of(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def rankings(run: str | Path, mode: str) -> dict[str, list[str]]:
    """Query id -> ranked paths of a run file, checked to be in order."""
    ranked: dict[str, list[str]] = {}
    last: dict[str, float] = {}
    for line in (Path(run) / f"{mode}.trec").read_text(encoding="utf-8").splitlines():
        query_id, _, path, rank, score, _ = line.split()
        ranked.setdefault(plain_id(query_id), []).append(plain_id(path))
        assert int(rank) == len(ranked[query_id])
        assert float(score) < last.get(query_id, 2.0)
        last[query_id] = float(score)
    return ranked


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


def test_the_reference_can_stay(evaluate: Evaluate, labelled: Path, gallery: Path) -> None:
    arguments = ("--set", labelled, "--gallery", gallery, "--ablations", "--keep-reference")
    ranked = rankings(document_of(evaluate(*arguments, "--json"))["run"], "image")
    assert {query_id: paths[0] for query_id, paths in ranked.items()} == {
        query["_id"]: query["image"] for query in QUERIES
    }


def test_a_copy_of_the_reference_may_be_the_target(
    evaluate: Evaluate, write_set: WriteSet, own_gallery: Path
) -> None:
    shutil.copy(own_gallery / "red.png", own_gallery / "a copy.png")
    folder = write_set(
        [{"_id": "q", "image": "red.png", "text": "the same"}], [("q", "a copy.png", 1)]
    )
    document = document_of(
        evaluate("--set", folder, "--gallery", own_gallery, "--ablations", "--json")
    )
    assert document["groups"] == {}
    assert document["modes"]["image"]["recall@1"] == 1.0


def test_without_an_instruction_the_image_alone_is_asked(
    evaluate: Evaluate, write_set: WriteSet, gallery: Path
) -> None:
    folder = write_set(
        [{"_id": "q", "image": "red.png", "text": " "}], [("q", "striped ones/red.png", 1)]
    )
    document = document_of(evaluate("--set", folder, "--gallery", gallery, "--ablations", "--json"))
    modes = document["modes"]
    assert modes["composed"] == modes["sum"] == modes["image"]
    assert modes["image"]["recall@50"] == 1.0
    assert set(modes["text"].values()) == {0.0}


def test_a_gallery_is_reused_and_follows_its_folder(
    evaluate: Evaluate, labelled: Path, own_gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def images() -> int:
        document = document_of(evaluate("--set", labelled, "--gallery", own_gallery, "--json"))
        kept = json.loads((Path(document["run"]) / "run.json").read_text())
        return int(kept["gallery"]["images"])

    assert images() == 12

    encoder = load_encoder("compact")
    embedded: list[Image] = []

    def remembering(images: Sequence[Image]) -> Embeddings:
        embedded.extend(images)
        return type(encoder).encode_images(encoder, images)

    monkeypatch.setattr(encoder, "encode_images", remembering)
    monkeypatch.setattr("eval.runner.load_encoder", lambda name: encoder)
    assert (images(), len(embedded)) == (12, 0)
    shutil.copy(own_gallery / "red.png", own_gallery / "more.png")
    assert (images(), len(embedded)) == (13, 1)
    (own_gallery / "more.png").unlink()
    assert (images(), len(embedded)) == (12, 1)


def test_a_damaged_image_is_reported(evaluate: Evaluate, labelled: Path, own_gallery: Path) -> None:
    (own_gallery / "broken.png").write_bytes(b"not a picture")
    arguments = ("--set", labelled, "--gallery", own_gallery)
    (failed,) = document_of(evaluate(*arguments, "--json"))["failed"]
    assert failed["path"] == "broken.png"
    assert failed["reason"]
    assert "could not be read: 1 ('broken.png'" in evaluate(*arguments).stdout


def test_an_image_that_was_damaged_meanwhile_leaves_the_gallery(
    evaluate: Evaluate, labelled: Path, own_gallery: Path
) -> None:
    arguments = ("--set", labelled, "--gallery", own_gallery, "--json")
    document_of(evaluate(*arguments))
    (own_gallery / "blue.png").write_bytes(b"not a picture")
    refused = evaluate(*arguments)
    assert refused.exit_code == 2
    assert "1 target ('blue.png' in" in refused.stderr
    document = document_of(evaluate(*arguments, "--allow-missing"))
    assert "blue.png" not in rankings(document["run"], "composed")["q1"]


def test_absent_images_stop_the_run_unless_allowed(
    evaluate: Evaluate, write_set: WriteSet, gallery: Path, data_dir: Path
) -> None:
    folder = write_set(
        [*QUERIES, {"_id": "q4", "image": "../photos/red.png", "text": "in green"}],
        [*QRELS, ("q1", "gone.png", 1), ("q4", "nowhere.png", 1)],
    )
    arguments = ("--set", folder, "--gallery", gallery, "--json")
    before = sorted((data_dir / "runs").glob("*"))
    refused = evaluate(*arguments)
    assert (refused.exit_code, list(json.loads(refused.stdout))) == (2, ["error"])
    assert "queries.jsonl, line 4" in refused.stderr
    assert "2 targets ('gone.png' in" in refused.stderr
    assert sorted((data_dir / "runs").glob("*")) == before
    document = document_of(evaluate(*arguments, "--allow-missing"))
    assert document["absent"] == {"references": 1, "targets": 2, "unreachable_queries": 1}
    assert document["queries"] == 4
    assert document["metrics"]["recall@50"] == 0.75


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


def test_an_index_is_searched_with_its_own_encoder(
    evaluate: Evaluate, labelled: Path, own_gallery: Path, data_dir: Path
) -> None:
    settings = load_settings()
    store = Store(settings.index_uri, settings.milvus_token, data_dir=data_dir)
    ingest(store, own_gallery, "my photos", load_encoder("compact"))
    arguments = ("--set", labelled, "--index", "my photos", "--json")
    document = document_of(evaluate(*arguments))
    assert (document["encoder"], document["metrics"]["recall@50"]) == ("compact", 1.0)
    kept = json.loads((Path(document["run"]) / "run.json").read_text())
    assert (kept["gallery"]["kind"], kept["gallery"]["name"]) == ("index", "my photos")
    other = evaluate(*arguments, "--encoder", "bge-other")
    assert (other.exit_code, list(json.loads(other.stdout))) == (2, ["error"])
    assert "'compact'" in other.stderr
    assert "'bge-other'" in other.stderr
    (own_gallery / "red.png").unlink()
    gone = evaluate(*arguments)
    assert gone.exit_code == 2
    assert "1 reference image ('red.png' in" in gone.stderr


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
        "import sys, eval.runner, eval.__main__;"
        "print({'torch', 'pymilvus', 'onnxruntime', 'streamlit'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"

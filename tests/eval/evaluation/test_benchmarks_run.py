"""FashionIQ, CIRR and CIRCO from annotation files and drawn pictures to figures and submissions:
real encoder, real store."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from eval.cli.app import app
from eval.measures import DEPTH
from eval.runs.reading import list_runs, open_run, rank_table
from eval.sets.formats.circo import FORMAT
from eval.sets.trec import plain_id
from tests.eval.layouts import (
    CIRR_IMAGES,
    DRESSES,
    circo_records,
    cirr_records,
    draw_all,
    write_circo,
    write_cirr,
    write_fashioniq,
)

Invoke = Callable[..., Result]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for the module, so that Milvus Lite starts once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def invoke(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """A function that runs `python -m eval` with these arguments, in this process."""
    monkeypatch.setenv("CIR_DATA_DIR", str(data_dir))
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


def document_of(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def ranked(run: str, name: str) -> dict[str, list[str]]:
    """Query id -> paths of a run file."""
    found: dict[str, list[str]] = {}
    for line in (Path(run) / f"{name}.trec").read_text(encoding="utf-8").splitlines():
        query, _, path, *_ = line.split()
        found.setdefault(query, []).append(plain_id(path))
    return found


def test_fashioniq_is_searched_in_its_split_with_the_reference(
    invoke: Invoke, tmp_path: Path
) -> None:
    root = write_fashioniq(tmp_path / "annotations")
    images = draw_all(tmp_path / "images", [f"{name}.jpg" for name in [*DRESSES, "B0shirt"]])
    arguments = ("run", "--set", "fashioniq-dress", "--root", root, "--gallery", images, "--json")
    document = document_of(invoke(*arguments, "--ablations"))
    assert (document["set"], document["queries"]) == ("fashioniq-dress", 3)
    kept = json.loads((Path(document["run"]) / "run.json").read_text())
    assert kept["gallery"]["images"] == 8
    assert kept["settings"]["keep_reference"] is True
    paths = ranked(document["run"], "image")
    assert list(paths) == ["dress-0", "dress-1", "dress-2"]
    assert paths["dress-0"][0] == "B000.jpg"
    assert all(sorted(each) == [f"{name}.jpg" for name in DRESSES] for each in paths.values())
    assert document["metrics"] == document["reference"]["with"]
    assert document["reference"]["without"]["mrr"] >= document["reference"]["with"]["mrr"]
    assert document["composition_gain"]["recall@1"]["mode"] in {"image", "text", "sum"}
    assert "one of the two captions is empty" in document["notes"][0]

    run = Path(document["run"]) / "composed.trec"
    same = document_of(
        invoke("score", "--set", "fashioniq-dress", "--root", root, "--run", run, "--json")
    )
    assert same["metrics"] == document["metrics"]

    small = document_of(invoke(*arguments, "--small-gallery", "--both-orders"))
    assert all(len(each) == 5 for each in ranked(small["run"], "composed").values())
    assert small["metrics"]["recall@5"] == 1.0


def test_cirr_with_its_candidates_and_submission_files(invoke: Invoke, tmp_path: Path) -> None:
    root = write_cirr(tmp_path / "annotations")
    images = draw_all(
        tmp_path / "images", [f"dev/{name}.png" for name in [*CIRR_IMAGES, "dev-77-0-img0"]]
    )
    document = document_of(
        invoke("run", "--set", "cirr", "--root", root, "--gallery", images, "--json")
    )
    assert {f"recall_subset@{k}" for k in (1, 2, 3)} < set(document["metrics"])
    full, few = ranked(document["run"], "composed"), ranked(document["run"], "composed.subset")
    for record in cirr_records():
        query, reference = str(record["pairid"]), f"dev/{record['reference']}.png"
        assert len(full[query]) == 8
        assert reference not in full[query]
        members = {f"dev/{name}.png" for name in record["img_set"]["members"]} - {reference}
        assert set(few[query]) == members
        # In a gallery that is exact, both searches order the members alike.
        assert few[query] == [path for path in full[query] if path in members]

    run = Path(document["run"])
    table = rank_table(open_run(run, run.parent))
    assert table is not None
    assert table.figures()["composed"] == pytest.approx(document["metrics"])

    out = tmp_path / "submission"
    files = document_of(invoke("submission", run.name, "--out", out, "--json"))["files"]
    assert [Path(path).name for path in files] == ["cirr-recall.json", "cirr-recall_subset.json"]
    recall, subset = (json.loads(Path(path).read_text()) for path in files)
    assert (recall["version"], recall["metric"], subset["metric"]) == (
        "rc2",
        "recall",
        "recall_subset",
    )
    assert recall["100"] == [Path(path).stem for path in full["100"]]
    assert subset["101"] == [Path(path).stem for path in few["101"]][:3]
    scored = document_of(
        invoke(
            *("score", "--set", "cirr", "--root", root, "--json"),
            *("--run", files[0], "--subset-run", files[1]),
        )
    )
    assert scored["metrics"] == document["metrics"]
    again = invoke("submission", run, "--out", out)
    assert again.exit_code == 2
    assert "is there already" in again.stderr


def test_a_test_split_gives_rankings_and_no_figures(invoke: Invoke, tmp_path: Path) -> None:
    root = write_circo(tmp_path / "annotations", circo_records(judged=False), "test")
    images = draw_all(tmp_path / "images", [f"{number:012}.jpg" for number in range(52)])
    arguments = ("--root", root, "--split", "test", "--gallery", images, "--allow-missing")
    document = document_of(invoke("run", "--set", "circo", *arguments, "--json"))
    assert (document["metrics"], document["groups"], document["queries"]) == ({}, {}, 2)
    run = Path(document["run"])
    read = next(each for each in list_runs(run.parent)[0] if each.folder == run)
    assert (dict(read.metrics), rank_table(read)) == ({}, None)
    (file,) = document_of(invoke("submission", run, "--out", tmp_path / "submission", "--json"))[
        "files"
    ]
    ids = json.loads(Path(file).read_text())["0"]
    assert len(set(ids)) == 50
    assert all(isinstance(each, int) for each in ids)
    assert "no targets" in invoke("run", "--set", "circo", *arguments).stdout


def test_circo_counts_every_target_and_each_aspect(invoke: Invoke, tmp_path: Path) -> None:
    root = write_circo(tmp_path / "annotations")
    images = draw_all(tmp_path / "images", [f"{number:012}.jpg" for number in range(8, 20)])
    document = document_of(
        invoke(
            *("run", "--set", "circo", "--root", root, "--gallery", images, "--json"),
            "--allow-missing",
        )
    )
    assert list(document["groups"]) == ["negation", "addition"]
    assert document["groups"]["addition"]["queries"] == 2
    assert document["metrics"]["recall@25"] == 1.0
    assert "12 images" in document["notes"][0]
    run = Path(document["run"])
    table = rank_table(open_run(run, run.parent))
    assert table is not None
    assert table.groups == (("negation", "addition"), ("addition",))
    assert table.of_group("negation").figures()["composed"]["map@10"] == pytest.approx(
        document["groups"]["negation"]["map@10"], abs=1e-6
    )
    refused = invoke("submission", run, "--out", tmp_path / "submission")
    assert refused.exit_code == 2
    assert "too small" in refused.stderr
    assert not (tmp_path / "submission").exists()


def test_images_that_are_not_there_stop_the_run_unless_allowed(
    invoke: Invoke, tmp_path: Path, data_dir: Path
) -> None:
    root = write_cirr(tmp_path / "annotations")
    names = [f"{name}.png" for name in CIRR_IMAGES]
    images = draw_all(tmp_path / "images", names)
    (images / names[8]).unlink()
    (images / names[5]).unlink()
    arguments = ("run", "--set", "cirr", "--root", root, "--gallery", images, "--json")
    before = set((data_dir / "runs").glob("*"))
    refused = invoke(*arguments)
    assert refused.exit_code == 2
    assert f"1 target ('{CIRR_IMAGES[5]}' in" in refused.stderr
    assert f"1 other image ('{CIRR_IMAGES[8]}' in" in refused.stderr
    assert set((data_dir / "runs").glob("*")) == before
    document = document_of(invoke(*arguments, "--allow-missing"))
    assert (document["absent"]["targets"], document["absent"]["others"]) == (1, 1)
    assert document["metrics"]["recall@50"] == 0.5
    shutil.copy(images / names[0], images / f"{CIRR_IMAGES[0]}.jpg")
    assert "Two files stand for the image" in invoke(*arguments, "--allow-missing").stderr
    empty = draw_all(tmp_path / "others", ["x.png"])
    other = invoke("run", "--set", "cirr", "--root", root, "--gallery", empty)
    assert "holds no image of cirr" in other.stderr


def test_circo_is_searched_in_its_whole_gallery(
    invoke: Invoke, tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_circo(tmp_path / "annotations")
    images = draw_all(tmp_path / "images", [f"{number:012}.jpg" for number in range(8, 20)])
    arguments = ("run", "--set", "circo", "--root", root, "--gallery", images)
    refused = invoke(*arguments)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "123391 of its images are not there" in refused.stderr
    assert "--allow-missing" in refused.stderr
    allowed = document_of(invoke(*arguments, "--allow-missing", "--json"))
    assert allowed["absent"]["others"] == 123_391
    assert "123391 other images" in invoke(*arguments, "--allow-missing").stdout
    page = tmp_path / "page.html"
    assert invoke("report", allowed["run"], "--html", page).exit_code == 0
    assert "123391 other images" in page.read_text()
    invoke("register", "circo", "--root", root, "--images", images)
    assert "circo: 123391 of its images are not in" in invoke("sets").stdout
    invoke("forget", "circo")
    protocol = replace(FORMAT.protocol, gallery_size=11)
    monkeypatch.setattr("eval.sets.formats.circo.FORMAT", replace(FORMAT, protocol=protocol))
    assert "searched in 11 images" in invoke(*arguments, "--allow-missing").stderr


def test_an_index_that_holds_more_than_the_split_is_refused(
    invoke: Invoke, tmp_path: Path, data_dir: Path
) -> None:
    from cir.encoders.registry import load_encoder
    from cir.indexing.folder import ingest
    from cir.settings import load_settings
    from cir.store import index_store

    images = draw_all(tmp_path / "images", [f"{name}.jpg" for name in [*DRESSES, "B0shirt"]])
    ingest(index_store(load_settings()), images, "dresses", load_encoder("compact"))
    root = write_fashioniq(tmp_path / "annotations")
    result = invoke("run", "--set", "fashioniq-dress", "--root", root, "--index", "dresses")
    assert result.exit_code == 2
    assert "1 others, too" in result.stderr


def test_a_run_reaches_no_deeper_than_it_is_written(invoke: Invoke, tmp_path: Path) -> None:
    images = draw_all(tmp_path / "images", [f"{number:012}.jpg" for number in range(DEPTH + 9)])
    root = write_circo(tmp_path / "annotations")
    circo = ("--set", "circo", "--root", root, "--gallery", images)
    arguments = ("run", *circo, "--allow-missing", "--json")
    for flag in ("--keep-reference", "--remove-reference"):
        run = document_of(invoke(*arguments, flag))["run"]
        assert {len(each) for each in ranked(run, "composed").values()} == {DEPTH}


def test_a_run_reaches_as_deep_as_the_largest_cutoff(invoke: Invoke, tmp_path: Path) -> None:
    images = draw_all(tmp_path / "images", [f"{number:012}.jpg" for number in range(DEPTH + 9)])
    root = write_circo(tmp_path / "annotations")
    circo = ("--set", "circo", "--root", root, "--gallery", images)
    arguments = ("run", *circo, "--allow-missing", "--json")
    asked = ("--measure", "recall@109", "--measure", "map@104", "--min", "recall@200=1")
    document = document_of(invoke(*arguments, *asked))
    names = list(document["metrics"])
    assert names[-3:] == ["recall@109", "map@104", "recall@200"]
    assert document["metrics"]["recall@109"] == document["metrics"]["recall@200"] == 1.0
    (note,) = document["notes"]
    assert "The gallery holds 109 images, so recall@200 look at all" in note
    assert {len(each) for each in ranked(document["run"], "composed").values()} == {DEPTH + 9}
    run = Path(document["run"])
    assert json.loads((run / "run.json").read_text())["settings"]["depth"] == 200
    table = rank_table(open_run(run, run.parent))
    assert table is not None
    assert table.figures(names)["composed"] == pytest.approx(
        document["metrics"] | table.figures()["composed"]
    )
    deepest = invoke(*arguments, "--measure", "recall@16384")
    assert deepest.exit_code == 2
    assert "at most 16383 images" in deepest.stderr


def test_a_measure_of_candidates_is_for_sets_that_have_them(invoke: Invoke, tmp_path: Path) -> None:
    images = draw_all(tmp_path / "images", [f"{name}.jpg" for name in CIRR_IMAGES])
    cirr = ("--set", "cirr", "--root", write_cirr(tmp_path / "annotations"))
    gallery = ("--gallery", images, "--measure", "recall_subset@5", "--json")
    assert document_of(invoke("run", *cirr, *gallery))["metrics"]["recall_subset@5"] == 1.0
    circo = ("--set", "circo", "--root", write_circo(tmp_path / "others"), "--allow-missing")
    refused = invoke("run", *circo, *gallery)
    assert refused.exit_code == 2
    assert "the queries of circo have none" in json.loads(refused.stdout)["error"]

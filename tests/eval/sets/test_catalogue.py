"""Labelled sets by name: the list, what each lacks, and how a name leads to its folders."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cir.sample.catalogue import is_complete, write_catalogue
from cir.sample.designs import Design
from cir.sample.hard import hard_queries
from cir.sample.labelled import sample_queries
from eval.cli.app import app
from eval.sets.catalogue import SAMPLES
from tests.eval.layouts import CIRR_IMAGES, draw_all, write_cirr, write_fashioniq

Invoke = Callable[..., Result]
WriteSet = Callable[..., Path]
PUBLISHED = [
    *("fashioniq-dress", "fashioniq-shirt", "fashioniq-toptee", "cirr", "circo"),
    *("mbeir-cirr", "mbeir-fashioniq"),
]


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """A function that runs `python -m eval` with these arguments, in this process."""
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path / "data"))
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


def states(invoke: Invoke, *arguments: object) -> dict[str, dict[str, Any]]:
    result = invoke("sets", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    return {state["name"]: state for state in json.loads(result.stdout)}


def test_published_sets_are_listed_before_anybody_has_them(invoke: Invoke) -> None:
    listed = states(invoke)
    assert list(listed) == [*SAMPLES, *PUBLISHED]
    samples = [listed.pop(name) for name in SAMPLES]
    assert all("not drawn yet" in state["lacks"][0] for state in samples)
    assert all("not registered" in state["lacks"][0] for state in listed.values())
    assert "cirr: not registered" in invoke("sets").stdout


def test_a_root_is_looked_through(invoke: Invoke, tmp_path: Path) -> None:
    listed = states(invoke, "--root", write_fashioniq(tmp_path / "root"))
    dress = listed["fashioniq-dress"]
    assert (dress["split"], dress["queries"], dress["gallery"]) == ("val", 3, 8)
    assert "images was not named" in dress["lacks"][0]
    assert "holds no cap.shirt.val.json" in listed["fashioniq-shirt"]["lacks"][0]


def test_a_registered_set_needs_its_name_alone(invoke: Invoke, tmp_path: Path) -> None:
    root = write_cirr(tmp_path / "root")
    images = draw_all(tmp_path / "images", [f"{name}.png" for name in CIRR_IMAGES])
    assert invoke("register", "cirr", "--root", root, "--images", images).exit_code == 0
    assert states(invoke)["cirr"]["lacks"] == []
    assert invoke("run", "--set", "cirr", "--json").exit_code == 0

    (images / f"{CIRR_IMAGES[4]}.png").unlink()
    (lack,) = states(invoke)["cirr"]["lacks"]
    assert lack.startswith(f"1 of its images, for example '{CIRR_IMAGES[4]}'")
    shutil.move(images, tmp_path / "elsewhere")
    assert "is gone or has moved" in states(invoke)["cirr"]["lacks"][0]
    moved = invoke("run", "--set", "cirr")
    assert moved.exit_code == 2
    assert "is gone or has moved" in moved.stderr

    assert invoke("forget", "cirr").exit_code == 0
    assert states(invoke)["cirr"]["root"] is None
    assert "No labelled set 'cirr'" in invoke("forget", "cirr").stderr
    assert root.is_dir()


def test_a_native_set_may_have_any_name(invoke: Invoke, write_set: WriteSet, gallery: Path) -> None:
    folder = write_set(
        [{"_id": "q", "image": "red.png", "text": "in blue"}], [("q", "blue.png", 1)]
    )
    assert invoke("register", "my colours", "--root", folder, "--images", gallery).exit_code == 0
    state = states(invoke)["my colours"]
    assert (state["format"], state["queries"], state["lacks"]) == ("native", 1, [])
    result = invoke("run", "--set", "my colours", "--json", "--min", "map@10=0.01")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["set"] == "my colours"


def test_every_set_that_is_listed_is_found_by_its_name(
    invoke: Invoke,
    write_set: WriteSet,
    gallery: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = write_set([{"_id": "q", "image": "red.png", "text": "in blue"}], [("q", "blue.png", 1)])
    for name in ("labelled_sets/mine", "sample/labelled"):
        shutil.copytree(made, tmp_path / "data" / name)
    shutil.copytree(gallery, tmp_path / "data" / "sample" / "images")
    monkeypatch.setattr("cir.sample.building.write_catalogue", lambda place, on_progress: place)
    listed = states(invoke)
    assert listed["sample"]["lacks"] == []
    run = tmp_path / "run"
    run.write_text("q Q0 blue.png 1 0.5 t\n")
    for name in ("mine", "sample"):
        assert listed[name]["queries"] == 1
        assert invoke("score", "--set", name, "--run", run).exit_code == 0
    result = invoke("run", "--set", "sample", "--json")
    assert json.loads(result.stdout)["set"] == "sample"
    assert invoke("run", "--set", "mine", "--gallery", gallery).exit_code == 0


def test_what_cannot_be_registered_is_said_and_nothing_kept(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_cirr(tmp_path / "root")
    refused = {
        "There is no folder": ("cirr", "--root", root, "--images", tmp_path / "nowhere"),
        "holds no val.json": ("circo", "--root", root),
        "write one of": ("x", "--root", root, "--format", "coco"),
        "There are no judgements": ("x", "--root", root),
    }
    for words, arguments in refused.items():
        result = invoke("register", *arguments)
        assert result.exit_code == 2
        assert words in result.stderr
    monkeypatch.setenv("CIR_READ_ONLY", "true")
    assert "read-only" in invoke("register", "cirr", "--root", root).stderr
    monkeypatch.delenv("CIR_READ_ONLY")
    assert list(states(invoke)) == [*SAMPLES, *PUBLISHED]


def test_a_damaged_list_is_one_sentence(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "registered_sets.json").write_text('{"x": 3}')
    result = invoke("sets")
    assert result.exit_code == 1
    assert "registered_sets.json" in result.stderr
    assert "Traceback" not in result.stderr


def test_options_of_one_format_are_refused_for_others(invoke: Invoke, tmp_path: Path) -> None:
    root = write_cirr(tmp_path / "root")
    images = draw_all(tmp_path / "images", ["x.png"])
    arguments = ("run", "--set", "cirr", "--root", root, "--gallery", images)
    assert "only FashionIQ" in invoke(*arguments, "--both-orders").stderr


def test_the_samples_sets_are_drawn_run_and_listed_by_name(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blank(designs: Sequence[Design], folder: Path, _: object) -> None:
        for design in designs:
            (folder / design.file).write_bytes(b"")

    monkeypatch.setattr(write_catalogue, "__kwdefaults__", {"draw": blank})
    for name, queries in zip(SAMPLES, (sample_queries(), hard_queries()), strict=True):
        ranked = tmp_path / f"{name}.trec"
        ranked.write_text(
            "".join(f"{each.id} Q0 {each.targets[0].file} 1 1.0 x\n" for each in queries)
        )
        result = invoke("score", "--set", name, "--run", ranked, "--json")
        assert result.exit_code == 0, result.stderr
        figures = json.loads(result.stdout)
        assert (figures["set"], figures["queries"]) == (name, len(queries))
        assert figures["metrics"]["recall@1"] == 1
        assert figures["groups"].keys() == {each.group for each in queries}
        listed = states(invoke)[name]
        assert (listed["queries"], listed["lacks"]) == (len(queries), [])
    assert is_complete(tmp_path / "data" / "sample")

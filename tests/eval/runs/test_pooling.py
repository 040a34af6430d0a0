"""What several runs found and nobody has judged."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import eval as bench
from cir.errors import UsageError
from cir.settings import Settings
from eval.cli.app import app
from eval.runs.pooling import pool, runs_of, to_judge_again
from eval.sets.agreement import agreement
from eval.sets.formats.native import load_native
from eval.sets.own import NewQuery, add_query, change_query, judge_apart, kept_sets

REFERENCE, INSTRUCTION = "red.png", "in blue"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a data folder with the kept set "mine" and a run of each of two systems."""
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path))
    found = Settings(None, None, tmp_path, "compact")
    query = NewQuery("shop", REFERENCE, INSTRUCTION, ("blue.png",), negatives=("green.png",))
    add_query("mine", query, found)
    labelled = bench.load_set("mine", settings=found)
    for system, images in (
        ("one", ["blue.png", "navy.png", "green.png", "black.png"]),
        ("two", ["red.png", "teal.png", "navy.png", "white.png"]),
    ):
        ranked = {"q1": images}
        out = found.runs_dir / system
        bench.import_run(labelled, ranked, system=system, settings=found, out=out)
    return found


def test_the_first_images_of_all_systems_that_nobody_judged_are_pooled(settings: Settings) -> None:
    labelled = load_native(kept_sets(settings.data_dir)["mine"])
    runs = bench.list_runs(settings=settings)
    # The reference is taken out of a ranking before its first images are.
    assert set(pool(labelled, runs, depth=2)["q1"]) == {"navy.png", "teal.png"}
    assert set(pool(labelled, runs)["q1"]) == {"navy.png", "black.png", "teal.png", "white.png"}
    assert pool(labelled, runs) == pool(labelled, runs[::-1])
    with pytest.raises(UsageError, match="Name the runs"):
        pool(labelled, [])


def test_what_was_judged_is_pooled_no_more(settings: Settings) -> None:
    first = load_native(kept_sets(settings.data_dir)["mine"])
    runs = bench.list_runs(settings=settings)
    judged = {"navy.png": True, "teal.png": False, "black.png": False, "white.png": False}
    change_query("mine", "q1", settings, judged=judged)
    labelled = bench.load_set("mine", settings=settings)
    assert labelled.fingerprint != first.fingerprint
    assert len(runs_of(labelled, runs)) == 2  # runs of the set as it was
    assert pool(labelled, runs) == {}
    assert set(labelled.queries[0].targets) == {"blue.png", "navy.png"}


def test_a_second_annotator_judges_the_same_images_in_a_set_of_their_own(
    settings: Settings,
) -> None:
    labelled = load_native(kept_sets(settings.data_dir)["mine"])
    left = to_judge_again(labelled, None)
    assert set(left["q1"]) == {"blue.png", "green.png"}
    judge_apart("mine", "q1", {"blue.png": True, "green.png": True}, settings)
    second = load_native(kept_sets(settings.data_dir)["mine-second"])
    assert to_judge_again(labelled, second) == {}
    found = agreement(labelled, second)
    assert (found.both, found.second_only, found.disputed) == (1, 1, {"q1": ("green.png",)})
    for query, message in (("q9", "no query 'q9'"), ("q1", "No target is marked")):
        with pytest.raises(UsageError, match=message):
            judge_apart("mine", query, {"blue.png": False}, settings)


def test_the_command_names_query_and_image(settings: Settings) -> None:
    asked = ["pool", "one", "two", "--set", "mine", "--at", "2"]
    shown = CliRunner().invoke(app, asked)
    assert sorted(shown.stdout.splitlines()) == ["q1\tnavy.png", "q1\tteal.png"]
    document = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert (document["depth"], set(document["queries"]["q1"])) == (2, {"navy.png", "teal.png"})

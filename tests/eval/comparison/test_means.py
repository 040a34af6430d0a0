"""The mean over several labelled sets, compared in one test."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cir.errors import UsageError
from eval.cli.app import app
from eval.comparison.means import compare_means
from eval.runs.averaging import mean_of_runs
from eval.runs.reading import Run, open_run
from eval.stats import sign_flip_p
from tests.eval.comparison.test_compare import put_run

SIZES = {"dress": 40, "shirt": 90, "toptee": 60}
HEADLINE = "recall@10+recall@50"


def category(folder: Path, name: str, found: float, seed: int, **asked: str) -> Run:
    """A run of a category that finds this share of its targets in the first ten."""
    dice = np.random.default_rng(seed)
    ranks = [5 if dice.random() < found else 30 for _ in range(SIZES[name])]
    settings = {"format": f"fashioniq-{name}", "keep_reference": True} | asked
    put_run(
        folder / f"{name}-{seed}",
        {"composed": ranks},
        set=f"fashioniq-{name}",
        set_fingerprint=name,
        settings=settings,
        clusters=None,
    )
    return open_run(folder / f"{name}-{seed}", folder)


def system(folder: Path, found: float, seed: int) -> list[Run]:
    return [category(folder, name, found, seed) for name in SIZES]


def test_the_difference_is_that_of_the_means_with_each_set_counting_once(tmp_path: Path) -> None:
    first, this = system(tmp_path, 0.4, 1), system(tmp_path, 0.55, 2)
    compared = compare_means(first, [this[2], this[0], this[1]])
    assert compared.measure == HEADLINE
    before, after = (mean_of_runs(side)["modes"]["composed"] for side in (first, this))
    assert compared.first["recall@10"] == pytest.approx(before["recall@10"])
    headline = (after["recall@10"] + after["recall@50"]) / 2
    assert compared.this[HEADLINE] == pytest.approx(headline)
    it = compared.differences[HEADLINE]
    assert it.delta == pytest.approx(compared.this[HEADLINE] - compared.first[HEADLINE])
    assert it.better + it.worse + it.same == 190


def test_the_interval_and_the_test_are_of_all_queries_weighed_by_their_set(tmp_path: Path) -> None:
    first, this = system(tmp_path, 0.4, 1), system(tmp_path, 0.55, 2)
    it = compare_means(first, this).differences["recall@10"]
    changes = []
    for a, b in zip(first, this, strict=True):
        hits = [np.array(run.table["composed"]) <= 10 for run in (a, b)]
        changes.append(hits[1].astype(float) - hits[0].astype(float))
    error = np.sqrt(sum(each.var() / len(each) for each in changes)) / 3
    assert it.low == pytest.approx(it.delta - 1.96 * error, abs=0.1 * error)
    assert it.high == pytest.approx(it.delta + 1.96 * error, abs=0.1 * error)
    weighed = np.concatenate([each / len(each) / 3 for each in changes])[:, None]
    assert it.p == sign_flip_p(weighed, seed=0)[0]


def test_both_sides_are_of_the_same_sets(tmp_path: Path) -> None:
    first, this = system(tmp_path, 0.4, 1), system(tmp_path, 0.55, 2)
    with pytest.raises(UsageError, match="a run of fashioniq-toptee is missing"):
        compare_means(first, this[:2])
    with pytest.raises(UsageError, match="are on the same set"):
        compare_means(first, [*this[:2], this[0]])
    with pytest.raises(UsageError, match="differ in the template"):
        compare_means([*first[:2], category(tmp_path, "toptee", 0.4, 3, template="bge-vl")], this)


def test_in_what_else_the_sides_differ_is_said(tmp_path: Path) -> None:
    first = system(tmp_path, 0.4, 1)
    this = [category(tmp_path, name, 0.4, 2, template="bge-vl") for name in SIZES]
    notes = compare_means(first, this).notes
    assert notes[-1] == "The runs differ also in: the template of the instructions."


def test_the_command_tells_the_mean_beside_another_system_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path))
    first, this = system(tmp_path / "runs", 0.4, 1), system(tmp_path / "runs", 0.8, 2)
    against = [part for run in first for part in ("--against", run.name)]
    command = ["mean", *(run.name for run in this), *against]
    document = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert document["comparison"]["differences"][HEADLINE]["delta"] > 0.1
    shown = CliRunner().invoke(app, command).stdout
    assert "A difference like this is unlikely by chance." in shown

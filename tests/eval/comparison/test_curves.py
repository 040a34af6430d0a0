"""Recall curves with intervals, and what a run costs."""

from pathlib import Path

import numpy as np
import pytest

from eval.comparison.curves import milliseconds, peak_memory, recall_curves, undominated
from eval.runs.reading import Run, open_run, open_upload, rank_table
from eval.stats import bootstrap_intervals
from tests.eval.comparison.test_compare import put_run
from tests.eval.uploads import document

RANKS = [1, 3, 9, None, 30, 2, 60, 5] * 5


def opened(folder: Path, cluster_of: int | None = None, groups: str = "") -> Run:
    """A run of 40 queries, of which so many share a reference."""
    run = put_run(folder / "run", {"composed": RANKS}, clusters="reference image")
    table = run / "queries.csv"
    header, *lines = table.read_text().splitlines()
    if cluster_of is not None:
        lines = [f"{line},r{place // cluster_of}" for place, line in enumerate(lines)]
        header += ",cluster"
    table.write_text("\n".join([header, *lines]) + "\n")
    return open_run(run, folder)


@pytest.mark.parametrize("cluster_of", [None, 5])
def test_a_curve_has_the_interval_of_its_recall(tmp_path: Path, cluster_of: int | None) -> None:
    run = opened(tmp_path, cluster_of)
    table = rank_table(run)
    assert table is not None
    curve = recall_curves(run, table)["composed"]
    hits = np.array([float(rank is not None and rank <= 10) for rank in RANKS])[:, None]
    clusters = None if cluster_of is None else np.arange(40) // cluster_of
    low, high = bootstrap_intervals(hits, seed=0, clusters=clusters)[:, 0]
    assert curve.values[9] == hits.mean()
    assert curve.low[9] == pytest.approx(low, abs=0.03)
    assert curve.high[9] == pytest.approx(high, abs=0.03)
    assert len(curve.values) == len(curve.low) == len(curve.high) == 50


def test_one_draw_has_a_curve_and_no_interval(tmp_path: Path) -> None:
    run = opened(tmp_path, 40)
    table = rank_table(run)
    assert table is not None
    curve = recall_curves(run, table)["composed"]
    assert (curve.values[9], curve.low, curve.high) == (0.625, (), ())


def test_a_run_tells_what_it_took() -> None:
    seconds = {"encoding": 3.0, "search": 1.0, "gallery": 99.0}
    run = open_upload("a.json", document(seconds=seconds, peak_memory=4_000_000, queries=500))
    assert milliseconds(run) == pytest.approx(4000 / (500 * len(run.modes)))
    assert peak_memory(run) == 4_000_000
    for told in ({"reading": 1.0}, {"encoding": "x", "search": 1}, {"encoding": -1, "search": 1}):
        other = open_upload("a.json", document(seconds=told, peak_memory="much"))
        assert (milliseconds(other), peak_memory(other)) == (None, None)


def test_what_no_other_beats_is_the_front() -> None:
    points = {"slow": (9.0, 0.9), "fast": (1.0, 0.5), "worse": (9.0, 0.8), "between": (3.0, 0.4)}
    assert undominated(points) == ["fast", "slow"]

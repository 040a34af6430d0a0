"""Queries over many runs: which all miss, which separate systems, which look mislabelled."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cir.errors import UsageError
from eval.cli.app import app
from eval.comparison.difficulty import Difficulty, difficulty, named_systems
from eval.sets.catalogue import Place, load_place, load_set
from eval.sets.labelled import LabelledSet
from tests.eval.command_line import WriteSet
from tests.eval.comparison.test_clusters import put_run
from tests.eval.layouts import write_cirr

# Ranks of nine queries in five systems, from the weakest to the strongest.
RANKS = {
    "a": [20, 20, 20, 1, 1, 20, 20, 20, 20],
    "b": [20, 20, 20, 1, 2, 20, 20, 20, 1],
    "c": [20, 20, 3, 1, 20, 20, 1, 20, 1],
    "d": [20, 5, 2, 1, 20, 20, 1, 3, 1],
    "e": [20, 1, 1, 1, 20, 20, 1, 1, 1],
}


@pytest.fixture
def nine(write_set: WriteSet) -> LabelledSet:
    """Nine queries."""
    queries = [{"_id": f"q{n}", "image": f"r{n}.png", "text": f"in {n}"} for n in range(9)]
    folder = write_set(queries, [(f"q{n}", f"t{n}.png", 1) for n in range(9)])
    return load_place(Place("set", "native", folder))


@pytest.fixture
def runs(tmp_path: Path, nine: LabelledSet, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the five runs."""
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path))
    for name, ranks in RANKS.items():
        put_run(tmp_path / "runs" / name, nine, ranks)
    return tmp_path / "runs"


def over(runs: Path, *names: str) -> Difficulty:
    return difficulty(named_systems(names, runs))


def test_what_every_system_misses_is_hard(runs: Path) -> None:
    found = over(runs, *RANKS)
    assert [query.mean for query in found.queries] == [0, 0.4, 0.6, 1, 0.4, 0, 0.6, 0.4, 0.8]
    assert [query.id for query in found.hard()] == ["q0", "q5"]
    assert not any(query.missed for query in found.hard())
    assert found.queries[1].instruction == "in 1"


def test_separation_is_the_correlation_with_the_other_queries(runs: Path) -> None:
    values = np.array([[rank <= 10 for rank in ranks] for ranks in RANKS.values()], np.float64)
    found = over(runs, *RANKS)
    for place in (1, 2, 4, 6, 7, 8):
        rest = np.delete(values, place, axis=1).mean(axis=1)
        expected = np.corrcoef(values[:, place], rest)[0, 1]
        assert expected > 0.5 or place == 4
        assert found.queries[place].separates == pytest.approx(expected)
    assert [found.queries[place].separates for place in (0, 3, 5)] == [None, None, None]
    assert {query.id for query in found.separating()} == {"q1", "q2", "q6", "q7", "q8"}


def test_labels_that_strong_systems_contradict_are_worth_a_second_look(runs: Path) -> None:
    doubts = {query.id: query.doubts for query in over(runs, *RANKS).doubtful()}
    assert doubts["q4"] == ["weaker systems find it, stronger ones miss it"]
    assert doubts["q0"] == ["every system ranks other 1.png first, which is no target"]
    assert set(doubts) == {"q0", "q4", "q5"}


def test_few_systems_tell_what_is_hard_and_no_more(runs: Path) -> None:
    found = over(runs, "a", "e")
    assert {query.separates for query in found.queries} == {None}
    assert "It takes 4 systems to say which queries separate them; there are 2." in found.notes
    assert [query.id for query in found.hard()] == ["q0", "q5"]


def test_of_one_run_all_of_its_set_are_looked_at(runs: Path, write_set: WriteSet) -> None:
    folder = write_set([{"_id": "x", "image": "r", "text": "t"}], [("x", "y", 1)], name="other")
    put_run(runs / "other", load_place(Place("other", "native", folder)), [1])
    assert {one.label for one in named_systems(["c"], runs)} == set(RANKS)
    with pytest.raises(UsageError, match="Name two runs at least"):
        over(runs, "other")


def test_a_run_s_way_to_ask_is_that_of_all(runs: Path) -> None:
    for name in ("a", "b"):
        table = runs / name / "queries.csv"
        lines = table.read_text().splitlines()
        lines = [f"{line},{'sum' if place == 0 else place}" for place, line in enumerate(lines)]
        table.write_text("\n".join(lines) + "\n")
    found = named_systems(["a:sum"], runs)
    assert [one.label for one in found] == ["a:sum", "b:sum"]


def test_a_measure_of_judgements_finds_nothing(runs: Path) -> None:
    for name in ("negatives@10", "judged@10"):
        with pytest.raises(UsageError, match="does not say whether a query is found"):
            difficulty(named_systems(["a", "e"], runs), measure=name)


def test_images_are_compared_by_the_names_of_the_annotations(tmp_path: Path) -> None:
    """A run that was imported without its gallery knows no paths."""
    cirr = load_set("cirr", write_cirr(tmp_path / "cirr"))
    source = {"set": str(tmp_path / "cirr"), "format": "cirr", "split": "val"}
    both = [put_run(tmp_path / name, cirr, [9, 1], settings=source) for name in ("a", "b")]
    for folder, first in (("a", "dev/dev-1-0-img0.png"), ("b", "dev-1-0-img0")):
        trec = tmp_path / folder / "composed.trec"
        trec.write_text(trec.read_text().replace("other%201.png", first))
    found = difficulty(both)
    assert [bool(query.agreed) for query in found.queries] == [True, False]


def test_without_its_labelled_set_ranks_alone_are_looked_at(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "set" / "queries.jsonl").unlink()
    found = over(runs, *RANKS)
    assert [query.id for query in found.hard()] == ["q0", "q5"]
    assert found.notes[0].startswith("What is ranked first was not looked at: ")


def test_the_command_shows_and_writes_them(runs: Path, tmp_path: Path) -> None:
    table = tmp_path / "queries.csv"
    shown = CliRunner().invoke(app, ["difficulty", "a", "--csv", str(table)])
    assert shown.exit_code == 0, shown.stderr
    for title in ("Missed by all 5 runs: 2", "Separate the runs best: 5", "a second look: 3"):
        assert title in shown.stdout
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    means = [0.0, 0.4, 0.6, 1.0, 0.4, 0.0, 0.6, 0.4, 0.8]
    assert [float(row["mean"]) for row in rows] == means
    document = json.loads(CliRunner().invoke(app, ["difficulty", "a", "b", "--json"]).stdout)
    assert (document["runs"], document["measure"]) == (["a", "b"], "recall@10")
    assert document["queries"][0]["agreed"] == "other 1.png"

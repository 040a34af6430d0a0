"""The shortcut audit, against tables worked by hand and through the command line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cir.errors import UsageError
from eval.cli.app import app
from eval.errors import BenchWayOut
from eval.measures import parse_measure
from eval.runs.queries import query_rows
from eval.runs.ranks import RankTable
from eval.runs.reading import Run, open_run
from eval.runs.shortcuts import SOLVERS, audit, composition_gap, solvers
from eval.runs.writing import RunWriter
from tests.eval.uploads import document

# id -> groups and the ranks of composed, image, text, sum
RANKS: Mapping[str, tuple[tuple[str, ...], Sequence[int | None]]] = {
    "picture": (("a",), (1, 10, None, None)),
    "words": (("a",), (2, 11, 3, 1)),
    "both": (("a", "b"), (None, 1, 1, 1)),
    "sum": (("b",), (1, 12, 40, 4)),
    "composed": ((), (10, 11, None, 11)),
    "lost": ((), (None, None, 11, None)),
}
MODES = ["composed", "image", "text", "sum"]


def write_run(
    place: Path,
    ranks: Mapping[str, tuple[tuple[str, ...], Sequence[int | None]]] = RANKS,
    modes: Sequence[str] = MODES,
    **changes: Any,
) -> Run:
    with RunWriter(place, modes) as writer:
        for query, (groups, found) in ranks.items():
            writer.add_query(query, groups)
            for mode, rank in zip(modes, found, strict=False):
                writer.add_ranking(query, mode, [], rank)
        folder = writer.finish(json.loads(document(queries=len(ranks), **changes)))
    return open_run(folder, place.parent)


def test_each_query_has_the_least_that_solves_it(tmp_path: Path) -> None:
    found = audit([write_run(tmp_path / "run")])
    assert dict(found.solved_by) == {
        "picture": "image",
        "words": "text",
        "both": "either",
        "sum": "sum",
        "composed": "composed",
        "lost": "unsolved",
    }
    assert found.counts == dict.fromkeys(SOLVERS, 1)
    assert (found.shortcut_share, found.lost) == (0.5, 1)
    of_b = {name: count for name, count in found.groups["b"].items() if count}
    assert (list(found.groups), of_b) == (["a", "b", "(none)"], {"either": 1, "sum": 1})
    assert found.words()[0].startswith("3 of 6 queries (50.0%) are solved by the image or the text")


def test_the_cutoff_decides(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    assert audit([run], k=11).solved_by["lost"] == "text"
    assert audit([run], k=1).solved_by["words"] == "sum"
    for k in (0, 101):
        with pytest.raises(UsageError, match="choose a rank from 1 to 100"):
            audit([run], k=k)


def test_several_runs_are_pooled(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    # The same queries in another order, of an encoder that reads pictures better.
    better = {
        query: (groups, (None, 1, None, None)) for query, (groups, _) in reversed([*RANKS.items()])
    }
    found = audit([run, write_run(tmp_path / "better", better)])
    assert set(found.solved_by.values()) == {"image", "either"}
    assert list(found.solved_by) == list(RANKS)
    with pytest.raises(UsageError, match="did not ask the same labelled set"):
        audit([run, write_run(tmp_path / "other", {"else": ((), (1, 1, 1, 1))})])


def test_the_gap_is_the_share_that_neither_alone_reaches() -> None:
    # Composed 3/4, image 1/4, text 2/4 within the first ten: 1 - 0.5 / 0.75.
    table = RankTable(
        ((),) * 4,
        {"composed": (1, 1, 2, None), "image": (1, None, 11, None), "text": (9, 9, 50, None)},
    )
    assert composition_gap(table, parse_measure("recall@10")) == pytest.approx(1 / 3)
    assert composition_gap(table, parse_measure("recall@200")) is None
    nothing = RankTable(((),), {"composed": (None,), "image": (1,), "text": (1,)})
    assert composition_gap(nothing, parse_measure("mrr")) is None
    behind = RankTable(((),), {"composed": (2,), "image": (1,), "text": (None,)})
    assert composition_gap(behind, parse_measure("mrr")) == -1
    assert composition_gap(RankTable(((),), {"composed": (1,)}), parse_measure("mrr")) is None


def test_without_ablations_there_is_no_audit(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", modes=["composed"])
    with pytest.raises(UsageError, match="not asked by image and text alone") as caught:
        audit([run])
    assert BenchWayOut.RUN_ABLATIONS in caught.value.ways_out
    assert "solved by" not in run.table.columns
    assert solvers(RankTable(((),), {"composed": (1,)}, ids=("a",))) == {}


def test_where_the_sum_was_not_asked_nothing_is_said_of_it(tmp_path: Path) -> None:
    found = audit([write_run(tmp_path / "run", modes=MODES[:3])])
    assert "sum" not in found.counts and found.counts["composed"] == 2
    assert "2 need both; 1 are not solved." in found.words()


def test_queries_are_listed_by_what_solves_them(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    assert run.table["solved by"].tolist() == list(audit([run]).solved_by.values())
    table = RankTable(
        ((), ()), {"composed": (1, 1), "image": (1, None), "text": (None, None)}, ids=("a", "b")
    )
    assert [row.id for row in query_rows(table, {}, solver="composed")] == ["b"]
    assert [row.solved_by for row in query_rows(table, {})] == ["image", "composed"]


def test_the_command_tells_counts_and_sentences(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    told = CliRunner().invoke(app, ["shortcuts", str(run.folder), "--at", "5"])
    assert told.exit_code == 0 and "Solved at rank 5 by" in told.stdout
    assert "2 of 6 queries (33.3%)" in told.stdout
    found = json.loads(CliRunner().invoke(app, ["shortcuts", str(run.folder), "--json"]).stdout)
    assert found["counts"] == dict.fromkeys(SOLVERS, 1)
    assert found["composition_gap"]["recall@10"] == pytest.approx(1 - 2 / 4)
    bare = write_run(tmp_path / "bare", modes=["composed"])
    refused = CliRunner().invoke(app, ["shortcuts", str(bare.folder)])
    assert refused.exit_code == 2 and "Run the set with --ablations." in refused.stderr

"""Figures from ranks, against the measures themselves and against examples worked by hand."""

import csv
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from cir.errors import UsageError
from eval.measures import judge, mean, parse_measure, score
from eval.runs.queries import queries_csv, query_rows
from eval.runs.ranks import (
    RankTable,
    composition_gain,
    figures_csv,
    recall_curve,
    telling_measure,
)
from eval.runs.reading import open_run, open_upload, rank_table
from eval.runs.writing import RunWriter
from eval.sets.labelled import LabelledQuery
from tests.eval.uploads import TABLE, document, zipped

RANKS = RankTable(
    (("colour",), (), ("colour",), ("type", "colour")),
    {"composed": (1, 3, None, 20), "image": (2, None, None, 80)},
    {"composed": {"map@10": (1.0, 0.5, 0.0, 0.1)}},
)


def test_a_curve_counts_the_queries_found_so_far() -> None:
    assert recall_curve([1, 3, None, 3], depth=4) == [0.25, 0.25, 0.75, 0.75]
    assert len(recall_curve([60])) == 50
    assert recall_curve([60])[-1] == 0.0


@pytest.mark.parametrize("rank", [1, 2, 5, 6, 10, 11, 50, 51, 100])
def test_a_rank_gives_what_its_ranking_gives(rank: int) -> None:
    ranked = [str(place) for place in range(1, 101)]
    table = RankTable(((),), {"composed": (rank,)})
    assert table.figures()["composed"] == mean(score(judge([ranked], [{str(rank): 1}])))


def test_no_rank_counts_zero_and_no_query_too() -> None:
    for ranks in ((None,), ()):
        table = RankTable(((),) * len(ranks), {"composed": ranks})
        assert set(table.figures()["composed"].values()) == {0.0}


def test_a_curve_meets_the_figures() -> None:
    curve, figures = RANKS.curves()["composed"], RANKS.figures()["composed"]
    for k in (1, 5, 10, 50):
        assert curve[k - 1] == figures[f"recall@{k}"]


def test_a_table_tells_of_every_measure_that_ranks_decide_and_of_those_in_it() -> None:
    figures = RANKS.figures(["recall@3", "recall@200", "map@5", "no such measure"])
    assert figures["composed"]["recall@3"] == 0.5
    assert "map@10" in figures["composed"]
    # Deeper than the rankings, and measured nowhere.
    assert not {"recall@200", "map@5"} & set(figures["composed"])
    deeper = replace(RANKS, depth=200)
    assert deeper.figures(["recall@200"])["composed"]["recall@200"] == 0.75
    assert deeper.of_group("type").tells(parse_measure("recall@200"))
    with pytest.raises(UsageError, match="looks deeper"):
        RANKS.values_of(parse_measure("recall@200"))


def test_groups_of_a_table() -> None:
    assert RANKS.group_names == ("colour", "(none)", "type")
    part = RANKS.of_group("colour")
    assert part.ranks == {"composed": (1, None, 20), "image": (2, None, 80)}
    assert part.figures()["composed"]["map@10"] == pytest.approx(1.1 / 3)
    assert "map@10" not in part.figures()["image"]
    assert RANKS.of_group("(none)").ranks["composed"] == (3,)
    assert RankTable(((), ()), {}).group_names == ()


def test_figures_are_taken_away_as_a_table() -> None:
    table = TABLE.replace("a,colour", "a,all")
    run = open_upload("x.zip", zipped({"run.json": document(), "queries.csv": table}))
    header, *lines = figures_csv(run, rank_table(run)).splitlines()
    assert header == "run,queries,mode,recall@1,recall@5,recall@10,recall@50,mrr"
    assert [line.split(",")[1:3] for line in lines] == [
        [group, mode] for group in ("all", "all", "type") for mode in ("composed", "sum")
    ]
    assert lines[0] == "x,all,composed,0.5,0.5,1.0,1.0,0.6"
    assert lines[2] == "x,all,composed,1.0,1.0,1.0,1.0,1.0"


def test_no_table_of_a_run_holds_a_formula_and_ids_and_groups_come_back(tmp_path: Path) -> None:
    asked = {"=HYPERLINK(1)": ("@colour", "b"), "-1.5": ("-",), "'=quoted": ("+1",), "q": ()}
    with RunWriter(tmp_path / "=run", ["composed"]) as writer:
        for query, groups in asked.items():
            writer.add_query(query, groups)
            writer.add_ranking(query, "composed", [("a.jpg", 0.9)], 1)
        folder = writer.finish(json.loads(document(queries=len(asked))))
    run = open_run(folder, tmp_path)
    table = rank_table(run)
    assert table is not None
    assert dict(zip(table.ids, table.groups, strict=True)) == asked
    rows = query_rows(table, {"q": LabelledQuery("q", "r", "=1+1", {"a.jpg": 1})})
    texts = (folder / "queries.csv").read_text(), figures_csv(run, table), queries_csv(rows)
    cells = [cell for text in texts for row in csv.reader(StringIO(text)) for cell in row]
    assert [cell for cell in cells if cell[:1] in "=+@-" and cell not in {"", "-1.5"}] == []
    assert {"'=HYPERLINK(1)", "'@colour|b", "'-", "'=1+1", "'=run"} < set(cells)


def test_the_gain_is_over_the_best_of_the_others() -> None:
    modes = {
        "composed": {"recall@10": 0.7},
        "image": {"recall@10": 0.2},
        "sum": {"recall@10": 0.8},
        "text": {},
    }
    gain = composition_gain(modes, "recall@10")
    assert gain is not None
    assert (gain.mode, gain.best) == ("sum", 0.8)
    assert gain.points == pytest.approx(-10)
    assert composition_gain({"composed": {"recall@10": 0.7}}, "recall@10") is None


def test_a_measure_that_is_full_for_both_does_not_tell_what_composing_brings() -> None:
    modes = {
        "composed": {"recall@1": 0.9, "recall@5": 1.0, "recall@10": 1.0},
        "image": {"recall@1": 0.4, "recall@5": 0.8, "recall@10": 1.0},
        "text": {"recall@1": 0.1, "recall@5": 0.3, "recall@10": 0.6},
    }
    assert telling_measure(modes, "recall@10") == "recall@1"
    assert telling_measure(modes, "recall@5") == "recall@5", "one of them has room"
    full = {mode: {"recall@1": 1.0, "mrr": 1.0} for mode in ("composed", "image")}
    assert telling_measure(full, "mrr") == "mrr"
    gain = composition_gain(full, "mrr")
    assert gain is not None and gain.is_saturated
    assert telling_measure({"composed": full["composed"]}, "mrr") == "mrr", "nothing to gain over"

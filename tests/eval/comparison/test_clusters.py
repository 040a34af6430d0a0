"""Comparing runs whose queries share images, and comparing them group by group."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cir.settings import load_settings
from eval.comparison.comparing import Comparison, compare
from eval.comparison.paired import Contender
from eval.evaluation.scoring import judged
from eval.measures import MEASURES, mean, score
from eval.reporting.page import report_page
from eval.runs.reading import open_run, rank_table
from eval.runs.writing import RunWriter
from eval.sets.catalogue import Place, load_place, load_set
from eval.sets.labelled import LabelledSet
from eval.stats import bootstrap_intervals, holm, sign_flip_p
from tests.eval.command_line import WriteSet
from tests.eval.layouts import CIRR_IMAGES, cirr_records, write_cirr

QUERIES = 60


def put_run(
    folder: Path, labelled: LabelledSet, ranks: Sequence[int], *, told: bool = True, **changes: Any
) -> Contender:
    """A run of a labelled set that ranks the target of each query there; `told` writes clusters."""
    rankings: dict[str, list[str]] = {}
    with RunWriter(folder, ["composed"]) as writer:
        if told:
            writer.add_clusters(labelled.clusters())
        for query, rank in zip(labelled.queries, ranks, strict=True):
            ranked = [f"other {place}.png" for place in range(1, 60)]
            ranked[rank - 1] = next(iter(query.targets))
            writer.add_query(query.id, query.groups)
            scored = [(path, 1 - place / 100) for place, path in enumerate(ranked)]
            writer.add_ranking(query.id, "composed", scored, rank)
            rankings[query.id] = ranked
        found = judged(labelled, rankings, keep_reference=False)
        document = {
            "set": labelled.name,
            "encoder": "compact",
            "queries": len(labelled.queries),
            "metrics": mean(score(found, MEASURES)),
            "set_fingerprint": labelled.fingerprint,
            "settings": {"set": str(labelled.source and labelled.source.root), "format": "native"},
        }
        if told:
            shared = labelled.protocol.shared if labelled.clusters() else None
            document["clusters"] = shared
        writer.finish(document | changes)
    return Contender(open_run(folder, folder.parent))


@pytest.fixture
def labelled(write_set: WriteSet) -> LabelledSet:
    """60 queries about 15 references, in three groups."""
    queries = [
        {
            "_id": f"q{number}",
            "image": f"r{number // 4}.png",
            "text": "in red",
            "group": ("colour", "kind", "pattern")[number % 3],
        }
        for number in range(QUERIES)
    ]
    folder = write_set(queries, [(f"q{n}", f"t{n}.png", 1) for n in range(QUERIES)])
    return load_place(Place("set", "native", folder))


FIRST = [20] * QUERIES
# The references of the first half bring all that gets better, and of kinds alone.
THIS = [1 if number < 40 and number % 3 == 1 else 20 for number in range(QUERIES)]


def compared(tmp_path: Path, labelled: LabelledSet, **options: Any) -> Comparison:
    both = (("first", FIRST), ("this", THIS))
    return compare([put_run(tmp_path / n, labelled, ranks, **options) for n, ranks in both])


def test_queries_of_one_reference_are_drawn_together(tmp_path: Path, labelled: LabelledSet) -> None:
    found = compared(tmp_path, labelled)
    change = np.array([float(rank == 1) for rank in THIS])[:, None]
    clusters = np.arange(QUERIES) // 4
    it = found.differences[0]["recall@10"]
    assert [[it.low], [it.high]] == bootstrap_intervals(change, seed=0, clusters=clusters).tolist()
    assert it.p == sign_flip_p(change, seed=0, clusters=clusters)[0]
    assert (found.clusters, found.over) == (15, "over 15 reference images")
    assert "interval: 95 % over 15 reference images, of a group over its own" in str(found)
    assert ", over 15 reference images; " in found.words()[0]
    assert any("With 15 reference images the intervals tend" in note for note in found.notes)
    assert found.document()["clusters"] == {"count": 15, "shared": "reference image"}


def test_one_reference_tells_nothing_of_others(tmp_path: Path, write_set: WriteSet) -> None:
    """As many queries as one likes: a group that is about one picture is one draw."""
    queries = [
        {"_id": f"q{n}", "image": f"r{n // 12}.png", "text": "in red", "group": f"g{n // 12}"}
        for n in range(QUERIES)
    ]
    folder = write_set(queries, [(f"q{n}", f"t{n}.png", 1) for n in range(QUERIES)])
    better = [1 if number < 12 else 20 for number in range(QUERIES)]
    runs = (("first", FIRST), ("this", better))
    found = compare([put_run(tmp_path / n, load_set("native", folder), r) for n, r in runs])
    it = found.groups[0]["g0"]
    assert (it.delta, it.low, it.high, it.p, it.clusters) == (1.0, None, None, 1.0, 1)
    assert found.group_rows(0)[0][:3] == ("g0", "12", "1")
    assert found.group_rows(0)[0][-2:] == ("not known", "1.0000")
    assert {each.clusters for each in found.groups[0].values()} == {1}


def test_without_shared_references_nothing_changes(tmp_path: Path, write_set: WriteSet) -> None:
    queries = [{"_id": f"q{n}", "image": f"r{n}.png", "text": "red"} for n in range(QUERIES)]
    folder = write_set(queries, [(f"q{n}", f"t{n}.png", 1) for n in range(QUERIES)])
    found = compared(tmp_path, load_set("native", folder))
    change = np.array([float(rank == 1) for rank in THIS])[:, None]
    it = found.differences[0]["recall@10"]
    assert [[it.low], [it.high]] == bootstrap_intervals(change, seed=0).tolist()
    assert (found.clusters, found.over) == (0, "")
    assert not any("reference image" in note for note in found.notes)
    header, *_ = (tmp_path / "first" / "queries.csv").read_text().splitlines()
    assert header == "id,group,composed"


def test_runs_of_earlier_versions_take_the_clusters_of_their_set(
    tmp_path: Path, labelled: LabelledSet
) -> None:
    before = compared(tmp_path / "old", labelled, told=False)
    after = compared(tmp_path / "new", labelled)
    assert before.differences == after.differences
    assert before.over == after.over


def test_a_run_whose_set_is_lost_says_that_it_does_not_know(
    tmp_path: Path, labelled: LabelledSet
) -> None:
    found = compared(tmp_path, labelled, told=False, settings={})
    assert found.over == ""
    assert "do not tell which queries share a reference image" in found.notes[0]


def test_the_members_of_cirr_s_image_sets_are_one_cluster(tmp_path: Path) -> None:
    records = cirr_records()
    again = {**records[0], "pairid": 7, "reference": CIRR_IMAGES[1]}
    cirr = load_set("cirr", write_cirr(tmp_path, [*records, again]))
    assert cirr.clusters() == ("0", "", "0")
    run = put_run(tmp_path / "run", cirr, [1, 2, 3])
    table = rank_table(run.run)
    assert table is not None
    assert (table.clusters, table.shared) == (("0", "", "0"), "image set")
    assert table.of_group("(none)").clusters == table.clusters
    rows = list(csv.DictReader((tmp_path / "run" / "queries.csv").open()))
    assert [row["cluster"] for row in rows] == ["0", "", "0"]


def test_groups_are_tested_as_one_family(tmp_path: Path, labelled: LabelledSet) -> None:
    found = compared(tmp_path, labelled)
    groups = found.groups[0]
    assert list(groups) == ["colour", "kind", "pattern"]
    kind = groups["kind"]
    assert (kind.queries, kind.first, kind.better, kind.worse) == (20, 0, 13, 0)
    assert kind.this == kind.delta == pytest.approx(13 / 20)
    raised = holm(np.array([it.p for it in groups.values()]))
    assert [it.p_holm for it in groups.values()] == raised.tolist()
    words = "By group in recall@10, with p raised for 3 tests: this is ahead of first in kind"
    assert found.group_words() == [f"{words} (+65.0)."]
    assert "kind          20                15  0.000  0.650   +65.0" in str(found)
    assert "of a group over its own reference images" in found.legend
    assert json.loads(json.dumps(found.document()))["comparisons"][0]["groups"]["kind"]["p"] < 0.01


def test_groups_of_several_runs_are_one_family(tmp_path: Path, labelled: LabelledSet) -> None:
    runs = [
        put_run(tmp_path / name, labelled, ranks)
        for name, ranks in (("a", FIRST), ("b", THIS), ("c", FIRST))
    ]
    one = compare(runs[:2]).groups[0]["kind"]
    both = compare(runs).groups
    assert both[0]["kind"].p_holm == pytest.approx(2 * one.p_holm)
    assert "no group differs beyond chance" in compare(runs).group_words()[1]


def test_a_report_says_what_its_intervals_are_over(
    tmp_path: Path, labelled: LabelledSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path))
    run = put_run(tmp_path / "run", labelled, THIS).run
    table = (run.folder or tmp_path) / "queries.csv"
    with table.open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["sum"] = "30"
    with table.open("w") as file:
        writer = csv.DictWriter(file, ["id", "group", "composed", "sum", "cluster"])
        writer.writeheader()
        writer.writerows(rows)
    modes = {"sum": {"recall@10": 0.0, "mrr": 1 / 30}}
    document = json.loads((table.parent / "run.json").read_text()) | {"modes": modes}
    (table.parent / "run.json").write_text(json.dumps(document))
    page, _ = report_page(open_run(table.parent, tmp_path), load_settings())
    assert ", over 15 reference images; " in page
    assert "p (Holm)" in page

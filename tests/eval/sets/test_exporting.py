"""An exported set in other tools: BEIR's loader, pytrec_eval and ir_measures."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import ir_measures
import pytest
import pytrec_eval

from cir.settings import Settings
from eval.sets.formats.native import load_native
from eval.sets.own import NewQuery, add_query, change_query, export_set, import_set, kept_sets
from eval.sets.trec import trec_id

ODD = 'sub/"b" c%20\td.png'
HEADER = "query-id\tcorpus-id\tscore\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(None, None, tmp_path / "data", "compact")


@pytest.fixture
def exported(settings: Settings, tmp_path: Path) -> Path:
    """The unpacked folder of a set of two queries, one with an odd path and a judged 0."""
    add_query("own", NewQuery("shop", "red.png", "in blue", (ODD,), "", ("no.png",)), settings)
    add_query("own", NewQuery("shop", ODD, "größer", ("red.png", "b.png")), settings)
    return unpacked(export_set("own", settings.data_dir), tmp_path)


def unpacked(packed: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        archive.extractall(folder)
    return folder / "own"


def beir_load(folder: Path, split: str = "test") -> tuple[dict[str, Any], ...]:
    """What `GenericDataLoader(folder).load(split)` of BEIR 2.2.0 does.

    Source: https://github.com/beir-cellar/beir, beir/datasets/data_loader.py
    """
    corpus, queries, qrels = {}, {}, dict[str, dict[str, int]]()
    with (folder / "corpus.jsonl").open(encoding="utf8") as lines:
        for line in map(json.loads, lines):
            corpus[line.get("_id")] = {"text": line.get("text"), "title": line.get("title")}
    with (folder / "queries.jsonl").open(encoding="utf8") as lines:
        for line in map(json.loads, lines):
            queries[line.get("_id")] = line.get("text")
    with (folder / "qrels" / f"{split}.tsv").open(encoding="utf-8") as lines:
        reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_MINIMAL)
        next(reader)
        for row in reader:
            qrels.setdefault(row[0], {})[row[1]] = int(row[2])
    return corpus, {query_id: queries[query_id] for query_id in qrels}, qrels


JUDGED = {"q1": {ODD: 1, "no.png": 0}, "q2": {"red.png": 1, "b.png": 1}}


def test_beirs_loader_opens_it(exported: Path) -> None:
    corpus, queries, qrels = beir_load(exported)
    assert queries == {"q1": "in blue", "q2": "größer"}
    assert qrels == JUDGED
    assert set(corpus) == {"red.png", ODD, "no.png", "b.png"}
    assert all(each == {"text": "", "title": ""} for each in corpus.values())


def test_trec_tools_read_its_qrels_and_score_them(exported: Path) -> None:
    path = exported / "qrels" / "test.trec"
    with path.open() as lines:
        qrels = pytrec_eval.parse_qrel(lines)
    assert qrels == {q: {trec_id(i): s for i, s in row.items()} for q, row in JUDGED.items()}
    run = {"q1": {"no.png": 2.0, trec_id(ODD): 1.0}, "q2": {"red.png": 2.0, "b.png": 1.0}}
    theirs = pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank"}).evaluate(run)
    assert {query_id: each["recip_rank"] for query_id, each in theirs.items()} == {
        "q1": 0.5,
        "q2": 1.0,
    }
    read = list(ir_measures.read_trec_qrels(str(path)))  # type: ignore[no-untyped-call]
    assert ir_measures.calc_aggregate([ir_measures.RR], read, run) == {ir_measures.RR: 0.75}


def test_it_comes_back_the_same(exported: Path, settings: Settings, tmp_path: Path) -> None:
    kept = load_native(kept_sets(settings.data_dir)["own"])
    assert load_native(exported).fingerprint == kept.fingerprint
    elsewhere = replace(settings, data_dir=tmp_path / "elsewhere")
    import_set([("own.zip", export_set("own", settings.data_dir))], elsewhere)
    again = load_native(kept_sets(elsewhere.data_dir)["own"])
    assert (again.fingerprint, again.queries[0].targets) == (kept.fingerprint, {ODD: 1})


@pytest.mark.parametrize(
    "qrels", ["q1\tb.png\t1\nq1\tn.png\t0\n", "q1 0 b.png 1\n\nq1 0 n.png 0\n"]
)
def test_a_set_without_header_gets_one_and_can_be_edited(
    settings: Settings, tmp_path: Path, qrels: str
) -> None:
    record = json.dumps({"_id": "q1", "image": "a.png", "text": "in red"})
    files = [("queries.jsonl", f"\ufeff{record}\n\n".encode()), ("own.tsv", qrels.encode())]
    name = import_set(files, settings)
    kept = kept_sets(settings.data_dir)[name]
    assert (kept / "qrels" / "own.tsv").read_text() == HEADER + "q1\tb.png\t1\nq1\tn.png\t0\n"
    kept.rename(kept.with_name("own"))
    change_query("own", "q1", settings, judged={"n.png": True})
    folder = unpacked(export_set("own", settings.data_dir), tmp_path)
    _, queries, judged = beir_load(folder, "own")
    assert (queries, judged) == ({"q1": "in red"}, {"q1": {"b.png": 1, "n.png": 1}})

"""CIRCUS's labels, in the layout that its authors publish."""

import csv
from pathlib import Path

import pytest

import eval as bench
from cir.errors import UsageError
from eval.sets.circus import FOLDER
from tests.eval.layouts import cirr_records, write_circo, write_cirr
from tests.eval.sets.formats.test_mbeir import write as write_mbeir

HEADER = [
    *("query_idx", "query_id", "selection_field", "selection_value", "aggregate_label"),
    *("aggregate_detail_label", "legacy_category", "query_text", "query_img_path"),
    *("primary_pos_cand_id", "rank_multimodal", "rank_text_only", "rank_image_only"),
    *("best_retriever_multimodal", "best_retriever_text_only", "best_retriever_image_only"),
    *("support_multimodal", "support_text_only", "support_image_only"),
    "support_either_unimodal",
]


@pytest.fixture(autouse=True)
def own_data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path / "data"))


def write_trace(root: Path, name: str, label: str, image: str, text: str) -> Path:
    folder = root / FOLDER / name / label
    folder.mkdir(parents=True, exist_ok=True)
    row = dict.fromkeys(HEADER, "1") | {
        "query_id": "8:3", "aggregate_label": label, "query_text": text, "query_img_path": image
    }  # fmt: skip
    path = folder / f"mbeir_{name}_task7_test_multimodal.trace.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER)
        writer.writeheader()
        writer.writerow(row)
    return path


@pytest.mark.parametrize("below", ["", "CIRCUS"])
def test_labels_are_groups_of_the_queries_they_are_of(tmp_path: Path, below: str) -> None:
    root = write_cirr(tmp_path / "cirr")
    first = cirr_records()[0]
    image = f"mbeir_images/cirr_images/dev/{first['reference']}.jpg"
    for label in ("composition_required", "shortcut_free"):
        # The union that CIRCUS writes, too, has the same label in the row.
        trace = write_trace(root / below, "cirr", label, image, f" {first['caption'].upper()}")
        text = trace.read_text().replace("shortcut_free,", "composition_required,")
        trace.write_text(text)
    labelled = bench.load_set("cirr", root=root)
    assert labelled.queries[0].groups == ("CIRCUS: composition_required",)
    assert all(query.groups == () for query in labelled.queries[1:])
    assert labelled.notes[-1] == f"CIRCUS labels 1 of the {len(labelled.queries)} queries."
    plain = bench.load_set("cirr", root=write_cirr(tmp_path / "plain"))
    assert (plain.groups(), plain.fingerprint) == ({}, labelled.fingerprint)


def test_a_label_stands_beside_the_aspects_of_circo(tmp_path: Path) -> None:
    root = write_circo(tmp_path)
    query = bench.load_set("circo", root=root).queries[0]
    image = f"/data/unlabeled2017/{int(query.reference):012d}.jpg"
    write_trace(root, "circo", "unresolved", image, query.instruction)
    found = bench.load_set("circo", root=root).queries[0]
    assert found.groups == (*query.groups, "CIRCUS: unresolved")


def test_of_mbeir_the_labels_are_those_of_the_same_queries(tmp_path: Path) -> None:
    root = write_mbeir(tmp_path)
    query = bench.load_set("mbeir-cirr", root=root).queries[1]
    write_trace(root, "cirr", "shortcut_solvable", f"x/{query.reference}.jpg", query.instruction)
    groups = [each.groups for each in bench.load_set("mbeir-cirr", root=root).queries]
    assert groups == [(), ("CIRCUS: shortcut_solvable",)]


def test_rows_that_contradict_are_refused(tmp_path: Path) -> None:
    root = write_cirr(tmp_path)
    first = cirr_records()[0]
    for label in ("composition_required", "shortcut_solvable"):
        write_trace(root, "cirr", label, f"{first['reference']}.jpg", first["caption"])
    with pytest.raises(UsageError, match="another row as 'composition_required'"):
        bench.load_set("cirr", root=root)


def test_another_table_is_refused(tmp_path: Path) -> None:
    root = write_cirr(tmp_path)
    path = write_trace(root, "cirr", "unresolved", "a.jpg", "b")
    path.write_text("query_text,query_img_path\na,b\n")
    with pytest.raises(UsageError, match="no column 'aggregate_label'"):
        bench.load_set("cirr", root=root)

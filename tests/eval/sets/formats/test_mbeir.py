"""M-BEIR's files in the layout of its dataset card, and what is said about mistakes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import eval as bench
from cir.errors import UsageError
from cir.settings import load_settings
from tests.eval.layouts import draw_all

NAMES = [f"dev-{n}-0-img0" for n in range(5)]
POOL = [
    {
        "did": f"8:{at}", "txt": None, "modality": "image", "src_content": "{}",
        "img_path": f"mbeir_images/cirr_images/dev/{name}.jpg",
    }
    for at, name in enumerate(NAMES)
]  # fmt: skip


def query(number: int, first: int, *targets: Any) -> dict[str, Any]:
    return {
        "qid": f"8:{number}", "query_txt": "Two dogs on the floor.", "query_modality": "image,text",
        "query_img_path": POOL[first]["img_path"], "query_src_content": "{}",
        "pos_cand_list": list(targets), "neg_cand_list": [],
    }  # fmt: skip


QUERIES = [query(1, 0, "8:1"), query(2, 3, {"did": "8:4"})]


def write(root: Path, queries: Sequence[object] = QUERIES, pool: Sequence[object] = POOL) -> Path:
    for path, records in (
        (root / "query" / "test" / "mbeir_cirr_task7_test.jsonl", queries),
        (root / "cand_pool" / "local" / "mbeir_cirr_task7_cand_pool.jsonl", pool),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(map(json.dumps, records)) + "\n")
    return root


def test_reads_queries_over_the_pool(tmp_path: Path) -> None:
    labelled = bench.load_set("mbeir-cirr", root=write(tmp_path))
    first, second = labelled.queries
    assert (first.id, first.reference, first.instruction) == (
        "8:1", NAMES[0], "Two dogs on the floor."
    )  # fmt: skip
    assert (dict(first.targets), dict(second.targets)) == ({NAMES[1]: 1}, {NAMES[4]: 1})
    assert (labelled.name, labelled.split, list(labelled.gallery or ())) == (
        "mbeir-cirr", "test", NAMES
    )  # fmt: skip


def test_a_run_searches_the_pool_with_the_reference(tmp_path: Path) -> None:
    images = draw_all(tmp_path / "mbeir_images", [f"cirr_images/dev/{name}.jpg" for name in NAMES])
    draw_all(images, ["other_images/more.jpg"])
    settings = load_settings(data_dir=str(tmp_path / "data"))
    labelled = bench.load_set("mbeir-cirr", root=write(tmp_path))
    run = bench.run(labelled, gallery=images, settings=settings)
    assert next(iter(run.metrics)) == "recall@1" and "ndcg@10" in run.metrics
    assert run.part("gallery")["images"] == 5
    assert run.part("settings")["keep_reference"] is True


@pytest.mark.parametrize(
    ("queries", "pool", "words"),
    [
        ([query(1, 0, "8:9")], POOL, "line 1: 'pos_cand_list' names '8:9', which is not in"),
        ([query(1, 0)], POOL, "line 1: 'pos_cand_list' names no candidate"),
        ([query(1, 0, {"id": 1})], POOL, "'pos_cand_list' names None"),
        ([query(1, 0, "8:1") | {"pos_cand_list": "8:1"}], POOL, "is not a list of candidates"),
        ([{"qid": "8:1"}], POOL, "line 1: 'query_img_path' is missing"),
        ([3], POOL, "line 1: not a JSON object"),
        ([QUERIES[0], QUERIES[0]], POOL, "8:1"),
        (QUERIES, [*POOL, POOL[0]], "line 6: '8:0', the image 'dev-0-0-img0', stands there twice"),
        ([], POOL, "holds no query"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, queries: Sequence[object], pool: Sequence[object], words: str
) -> None:
    with pytest.raises(UsageError) as caught:
        bench.load_set("mbeir-cirr", root=write(tmp_path, queries, pool))
    assert words in str(caught.value)


def test_missing_files_are_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"mbeir_fashioniq_task7_cand_pool\.jsonl cannot be read"):
        bench.load_set("mbeir-fashioniq", root=write(tmp_path))

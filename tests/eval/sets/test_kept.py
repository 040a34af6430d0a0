"""Uploaded labelled sets: what is kept, what is refused."""

import json
from pathlib import Path

import pytest

from cir.errors import UsageError
from eval.sets.formats.native import load_native
from eval.sets.own import keep_set, kept_sets
from tests.eval.uploads import zipped

QUERIES = json.dumps({"_id": "q", "image": "a.png", "text": "in red"}).encode()
QRELS = b"query-id\tcorpus-id\tscore\nq\tb.png\t1\n"


@pytest.mark.parametrize("folder", ["", "my set/", "x/my set/"])
def test_a_zip_is_kept_under_a_safe_name(tmp_path: Path, folder: str) -> None:
    files: dict[str, bytes | str] = {
        f"{folder}queries.jsonl": QUERIES,
        f"{folder}qrels/test.tsv": QRELS,
        "notes": "x",
    }
    kept = keep_set([("my set.zip", zipped(files))], tmp_path)
    assert kept == tmp_path / "labelled_sets" / "my-set"
    assert load_native(kept).queries[0].targets == {"b.png": 1}
    assert kept_sets(tmp_path) == {"my-set": kept}
    assert sorted(path.name for path in kept.rglob("*")) == ["qrels", "queries.jsonl", "test.tsv"]


def test_loose_files_are_kept(tmp_path: Path) -> None:
    kept = keep_set([("test.tsv", QRELS), ("queries.jsonl", QUERIES)], tmp_path)
    assert kept.name == "uploaded"
    assert load_native(kept).split == "test"


def test_the_same_set_is_kept_once_and_another_beside_it(tmp_path: Path) -> None:
    first = keep_set([("queries.jsonl", QUERIES), ("test.tsv", QRELS)], tmp_path)
    assert keep_set([("queries.jsonl", QUERIES), ("test.tsv", QRELS)], tmp_path) == first
    other = QRELS + b"q\tc.png\t1\n"
    assert keep_set([("queries.jsonl", QUERIES), ("test.tsv", other)], tmp_path).name == (
        "uploaded-2"
    )


def test_names_that_climb_out_are_not_followed(tmp_path: Path) -> None:
    for top in ("../../set/", "/etc/", "C:"):
        files = {f"{top}queries.jsonl": QUERIES, f"{top}qrels/test.tsv": QRELS}
        with pytest.raises(UsageError, match="points out of it"):
            keep_set([("../../evil.zip", zipped(files))], tmp_path / "data")
    assert not (tmp_path / "data").exists()
    kept = keep_set([("../queries.jsonl", QUERIES), ("../../test.tsv", QRELS)], tmp_path / "data")
    assert kept.parent == tmp_path / "data" / "labelled_sets"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "no labelled set"),
        ([("queries.jsonl", QUERIES)], "no labelled set"),
        ([("set.zip", b"x")], "not a zip"),
        ([("queries.jsonl", b"{"), ("test.tsv", QRELS)], r"^queries\.jsonl, line 1: not JSON"),
        ([("queries.jsonl", QUERIES), ("test.tsv", b"q\tb.png\n")], r"^qrels/test\.tsv, line 1"),
    ],
)
def test_what_is_no_labelled_set_leaves_nothing(
    tmp_path: Path, files: list[tuple[str, bytes]], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        keep_set(files, tmp_path)
    assert kept_sets(tmp_path) == {}
    assert not list(tmp_path.glob("labelled_sets/*"))


def test_size_and_number_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.sets.own.MAX_BYTES", 2**20)
    with pytest.raises(UsageError, match="more than 1 MB"):
        keep_set([("queries.jsonl", b" " * 2**21), ("test.tsv", QRELS)], tmp_path)
    with pytest.raises(UsageError, match="more than 1 MB"):
        keep_set([("a.zip", zipped({"queries.jsonl": b" " * 2**21}))], tmp_path)
    monkeypatch.setattr("eval.sets.own.MAX_SETS", 1)
    keep_set([("queries.jsonl", QUERIES), ("test.tsv", QRELS)], tmp_path)
    with pytest.raises(UsageError, match="remove some first"):
        keep_set([("queries.jsonl", QUERIES), ("test.tsv", QRELS)], tmp_path)

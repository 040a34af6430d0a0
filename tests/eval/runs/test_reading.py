"""Runs read back, from a folder and from uploads, good and bad."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cir.errors import UsageError
from eval.runs.reading import list_runs, open_upload, rank_table
from eval.runs.writing import RunWriter
from tests.eval.uploads import DOCUMENT, TABLE, document, zipped


def put(folder: Path, name: str, content: bytes, table: str | None = None) -> None:
    (folder / name).mkdir()
    (folder / name / "run.json").write_bytes(content)
    if table is not None:
        (folder / name / "queries.csv").write_text(table)


def test_runs_are_listed_newest_first_and_damaged_ones_are_named(tmp_path: Path) -> None:
    put(tmp_path, "old", document(date="2025-01-01T00:00:00+00:00"))
    put(tmp_path, "new", document())
    put(tmp_path, "undated", document(date=None))
    put(tmp_path, "broken", b"{")
    put(tmp_path, "empty", b"{}")
    put(tmp_path, ".partial-1", document())
    (tmp_path / "foreign").mkdir()
    runs, damaged = list_runs(tmp_path)
    assert [run.name for run in runs] == ["new", "old", "undated"]
    assert [one.name for one in damaged] == ["broken", "empty"]
    assert "not JSON" in damaged[0].reason
    assert list_runs(tmp_path / "nowhere") == ([], [])


def test_what_a_writer_leaves_is_read_back(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", ["composed", "sum"]) as writer:
        for query_id, groups, rank in (("a", ["colour"], 1), ("b", [], None)):
            writer.add_query(query_id, groups)
            writer.add_ranking(query_id, "composed", [("x.png", 0.5)], rank)
        writer.finish(DOCUMENT)
    (run,), damaged = list_runs(tmp_path)
    assert not damaged
    assert (run.set, run.encoder, run.queries) == ("dev", "compact", 2)
    assert run.date == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert list(run.modes) == ["composed", "sum"]
    table = rank_table(run)
    assert table is not None
    assert table.groups == (("colour",), ())
    assert table.ranks == {"composed": (1, None), "sum": (None, None)}


@pytest.mark.parametrize("folder", ["", "run-1/", "a/b/run-1/"])
def test_a_zipped_run_opens_wherever_it_lies_in_the_zip(folder: str) -> None:
    files: dict[str, bytes | str] = {
        f"{folder}run.json": document(),
        f"{folder}queries.csv": TABLE,
        f"{folder}composed.trec": "x",
        "__MACOSX/._run.json": "x",
    }
    run = open_upload("my run.zip", zipped(files))
    assert run.name == ("run-1" if folder else "my run")
    table = rank_table(run)
    assert table is not None
    assert table.ranks["sum"] == (2, None)


def test_a_document_alone_opens_without_ranks() -> None:
    run = open_upload("run.json", document())
    assert run.metrics["recall@10"] == 1.0
    assert rank_table(run) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (document(set=None), "names no set"),
        (document(encoder=3), "names no encoder"),
        (document(queries=-1), "how many queries"),
        (document(metrics={}), "metrics in run.json holds none of recall@1"),
        (document(metrics={"recall@1": 3}), "recall@1 is not a number from 0 to 1"),
        (document(metrics={"mrr": float("nan")}), "mrr is not a number from 0 to 1"),
        (document(metrics={"mrr": "0.5"}), "mrr is not a number from 0 to 1"),
        (document(groups=[]), "groups in run.json"),
        (document(modes={"sum": 1}), "modes, 'sum' in run.json"),
    ],
)
def test_a_wrong_document_is_refused_with_a_reason(content: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_upload("run.json", content)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "columns id, group, composed"),
        ("id,group\na,b\n", "columns id, group, composed"),
        ("id,group,composed\na,b\n", "columns id, group, composed"),
        ("id,group,composed\na,b,1\n", "1 queries, run.json 2"),
        ("id,group,composed\na,b,1\nb,b,0\n", "'0' is not a rank"),
        ("id,group,composed\na,b,1\nb,b,x\n", "'x' is not a rank"),
        ('id,group,composed\na,"b,1\n', "cannot be read|can be read"),
    ],
)
def test_a_wrong_table_is_refused_with_a_reason(table: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_upload("run.zip", zipped({"run.json": document(), "queries.csv": table}))


def test_a_zip_that_is_none_or_holds_no_run_or_too_much_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(UsageError, match="not a zip file"):
        open_upload("run.zip", b"no zip")
    with pytest.raises(UsageError, match=r"holds no run\.json"):
        open_upload("run.zip", zipped({"other.json": b"{}"}))
    damaged = bytearray(zipped({"run.json": document()}))
    damaged[40] ^= 0xFF
    with pytest.raises(UsageError, match="not a zip file"):
        open_upload("run.zip", bytes(damaged))
    monkeypatch.setattr("eval.runs.reading.MAX_BYTES", 2**20)
    with pytest.raises(UsageError, match="more than 1 MB"):
        open_upload("run.zip", zipped({"run.json": b" " * 2**21}))
    with pytest.raises(UsageError, match="larger than 1 MB"):
        open_upload("run.json", b" " * (2**20 + 1))


def test_a_run_may_have_thousands_of_groups() -> None:
    groups = {f"aspect {number}": {"mrr": 0.5} for number in range(4000)}
    assert len(open_upload("run.json", document(groups=groups)).groups) == 4000


def test_sets_are_the_same_by_content_then_by_name() -> None:
    def run(**changes: object) -> bytes:
        return document(**changes)

    one = open_upload("a.json", run(set_fingerprint="1"))
    assert one.same_set(open_upload("b.json", run(set_fingerprint="1", set="renamed")))
    assert not one.same_set(open_upload("b.json", run(set_fingerprint="2")))
    assert one.same_set(open_upload("b.json", run()))
    assert not one.same_set(open_upload("b.json", run(set="other")))


def test_halves_of_surrogate_pairs_are_not_shown() -> None:
    run = open_upload("run.json", document(set="a\ud800", groups={"\udfff": {"mrr": 1}}))
    assert run.set == "a?"
    assert list(run.groups) == ["?"]

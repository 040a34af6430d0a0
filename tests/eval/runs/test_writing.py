"""Runs on disk: whole or not there, never overwritten, readable by TREC tools."""

import csv
import json
import re
import struct
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest

from cir.errors import RecomposeError, UsageError
from eval.runs.writing import (
    RunWriter,
    groups_of,
    new_name,
    package_versions,
    trec_lines,
)
from eval.sets.trec import plain_id, trec_id


@pytest.mark.parametrize(
    "path",
    ["a.jpg", "striped ones/a b.jpg", "a\tb\nc.jpg", "q\"'.jpg", "50%20.jpg", "ü\u2003é.png"],
)
def test_an_encoded_id_is_one_field_and_comes_back(path: str) -> None:
    encoded = trec_id(path)
    assert encoded.encode().decode().split() == [encoded]
    assert plain_id(encoded) == path


def test_only_white_space_and_percent_signs_are_encoded() -> None:
    assert trec_id("dir/ä (1)+.jpg") == "dir/ä%20(1)+.jpg"


def test_a_trec_line_has_six_fields() -> None:
    (line,) = trec_lines("q 1", [("a b.jpg", 0.5)], tag="composed")
    assert line == "q%201 Q0 a%20b.jpg 1 0.500000 composed+percent-encoded\n"
    (line,) = trec_lines("q1", [("a.jpg", 0.5)], tag="composed")
    assert line == "q1 Q0 a.jpg 1 0.500000 composed\n"


@pytest.mark.parametrize(
    "scores",
    [[1.0, 1.0, 1.0], [0.9000004, 0.9000003, 0.9000002], [0.0, 0.0, -0.0], [-0.5, -0.5, -1.0]],
    ids=["equal", "closer than a digit", "zero", "negative"],
)
def test_written_scores_fall_strictly_even_in_single_precision(scores: list[float]) -> None:
    ranked = [(str(number), score) for number, score in enumerate(scores)]
    written = [float(line.split()[4]) for line in trec_lines("q", ranked, tag="t")]
    single = [struct.unpack("f", struct.pack("f", value))[0] for value in written]
    assert all(later < earlier for earlier, later in pairwise(single))
    assert written == pytest.approx(scores, abs=1e-5)


def test_names_hold_set_time_in_utc_and_something_unique() -> None:
    now = datetime(2025, 3, 4, 12, 30, tzinfo=timezone(timedelta(hours=2)))
    first, second = new_name("my set/ü", now), new_name("my set/ü", now)
    assert re.fullmatch(r"my-set-20250304T103000Z-[0-9a-f]{6}", first)
    assert first != second
    assert new_name("..", datetime.now(UTC)).startswith("run-")


def write(folder: Path, document: dict[str, object] | None = None) -> Path:
    with RunWriter(folder, ["composed", "image"]) as writer:
        writer.add_query("q1", ("colour", "a|b"))
        writer.add_query("q2", ())
        writer.add_ranking("q1", "composed", [("a.jpg", 0.9), ("b.jpg", 0.8)], 2)
        writer.add_ranking("q1", "image", [("b.jpg", 0.7)], 1)
        writer.add_values("composed", {"map@10": [0.5, 0.0]})
        return writer.finish(document or {"set": "s"})


def test_a_finished_run_holds_its_files_and_nothing_else_is_left(tmp_path: Path) -> None:
    folder = write(tmp_path / "runs" / "one")
    assert [path.name for path in folder.parent.iterdir()] == ["one"]
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["composed.trec", "image.trec", "queries.csv", "run.json"]
    assert json.loads((folder / "run.json").read_text()) == {"set": "s"}
    with (folder / "queries.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    head = ["id", "group", "composed", "image", "composed map@10"]
    assert rows == [head, ["q1", "colour|a%7Cb", "2", "1", "0.5"], ["q2", "", "", "", "0"]]
    assert groups_of(rows[1][1]) == ("colour", "a|b")
    ranks = [line.split()[2:4] for line in (folder / "composed.trec").open()]
    assert ranks == [["a.jpg", "1"], ["b.jpg", "2"]]


def test_nothing_stands_under_the_final_name_before_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    with RunWriter(folder, ["composed"]) as writer:
        writer.add_query("q", ())
        assert not folder.exists()
        writer.finish({})
        assert folder.is_dir()


def test_a_broken_run_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> None:
        with RunWriter(tmp_path / "one", ["composed"]) as writer:
            writer.add_query("q", ())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert list(tmp_path.iterdir()) == []


def test_rankings_of_candidates_have_files_of_their_own(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "one", ["composed"], candidates=True) as writer:
        writer.add_query("q", ())
        writer.add_candidates("q", "composed", [("a.jpg", 0.5)])
        writer.finish({})
    line = (tmp_path / "one" / "composed.subset.trec").read_text()
    assert line == "q Q0 a.jpg 1 0.500000 composed.subset\n"


def test_a_filled_folder_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        write(tmp_path / "one")
    assert (tmp_path / "one" / "mine.txt").read_text() == "mine"
    with pytest.raises(UsageError, match="is not a folder"):
        write(tmp_path / "one" / "mine.txt")


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    assert (write(tmp_path / "one") / "run.json").is_file()


def test_a_place_taken_in_the_meantime_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    with RunWriter(folder, ["composed"]) as writer:
        write(folder, {"set": "first"})
        with pytest.raises(RecomposeError, match="could not be written"):
            writer.finish({"set": "second"})
    assert json.loads((folder / "run.json").read_text()) == {"set": "first"}
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_place_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="choose another place"):
        write(tmp_path / "file" / "one")


def test_versions_name_python_and_what_is_installed() -> None:
    versions = package_versions()
    assert {"python", "numpy", "pillow"} <= set(versions)

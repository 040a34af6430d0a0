"""Metadata comes and goes without encoding an image again."""

from pathlib import Path
from typing import Any

import pytest

from cir.errors import UnknownIndexError, UsageError
from cir.indexing import walk
from tests.cir.album import Album, counts
from tests.drawn import draw_album


def table(album: Album, *lines: str, name: str = "metadata.csv") -> Path:
    path = album.folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_table_in_the_folder_is_joined(album: Album) -> None:
    table(
        album,
        "file,code,year,price,new",
        "red,007,2011,1.5,true",
        "striped/red striped.png,12,2012,2,false",
        "blue checked,1,,,",
        "nobody,2,,,",
    )
    report = album.ingest()
    assert (report.matched, report.unmatched, report.unmatched_rows) == (3, 15, 1)
    assert album.index.info.columns == {
        "file": "string",
        "code": "string",
        "year": "integer",
        "price": "number",
        "new": "boolean",
    }
    assert album.metadata("red.png") == {
        "file": "red",
        "code": "007",
        "year": 2011,
        "price": 1.5,
        "new": True,
    }
    assert album.metadata("striped/checked/blue checked.png") == {
        "file": "blue checked",
        "code": "1",
    }
    assert album.metadata("green.png") == {}


def test_a_given_table_comes_before_that_of_the_folder(album: Album, tmp_path: Path) -> None:
    table(album, "file,x", "red,1")
    other = tmp_path / "other.tsv"
    other.write_text("file\tx\nred\t2\n")
    album.ingest(metadata=other)
    assert album.metadata("red.png") == {"file": "red", "x": 2}


def test_a_table_of_images_far_beyond_the_first_finds_its_key(
    album: Album, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "CHUNK_FILES", 2)
    monkeypatch.setattr(walk, "CHUNKS_AHEAD", 2)
    table(album, "x,file", "1,striped/checked/yellow checked.png")
    assert album.ingest().matched == 1


@pytest.mark.parametrize(
    ("before", "after"),
    [("1", "2"), ("1", "one"), ("1", "1.5"), ("true", "1"), ("1", "true"), ("007", "7"), ("1", "")],
)
def test_changed_values_update_without_encoding(album: Album, before: str, after: str) -> None:
    table(album, "file,x", f"red,{before}", "blue,5")
    album.ingest()
    table(album, "file,x", f"red,{after}")
    report = album.ingest()
    assert (report.updated, report.unchanged) == (2, 16)
    assert album.encoder.encoded == 0
    expected: Any = {"one": "one", "1.5": 1.5, "1": 1, "2": 2, "true": True, "7": 7}.get(after)
    held = album.metadata("red.png").get("x")
    assert (type(held), held) == (type(expected), expected)
    assert album.metadata("blue.png") == {}
    assert counts(album.ingest()) == (0, 0, 18, 0, 0)


@pytest.mark.parametrize("x", ["0.1", "3.0", "1e-7", "1e300", "-0.0", "9007199254740991"])
def test_numbers_come_back_as_they_were(album: Album, x: str) -> None:
    table(album, "file,x", f"red,{x}", "blue,2")
    album.ingest()
    assert counts(album.ingest()) == (0, 0, 18, 0, 0)
    assert album.metadata("red.png")["x"] == float(x)


def test_without_a_table_the_values_stay(album: Album) -> None:
    path = table(album, "file,x", "red,1", "blue,2")
    album.ingest()
    path.unlink()
    (album.folder / "red.png").touch()
    (album.folder / "blue.png").write_bytes((album.folder / "green.png").read_bytes())
    report = album.ingest()
    assert counts(report) == (0, 1, 17, 0, 0)
    assert (report.matched, report.unmatched) == (0, 0)
    assert album.metadata("red.png") == {"file": "red", "x": 1}
    assert album.metadata("blue.png") == {"file": "blue", "x": 2}


def test_a_touched_file_with_new_values_updates_without_encoding(album: Album) -> None:
    album.ingest()
    table(album, "file,x", "red,1")
    (album.folder / "red.png").touch()
    assert counts(album.ingest()) == (0, 1, 17, 0, 0)
    assert album.encoder.encoded == 0 and album.metadata("red.png")["x"] == 1


def test_values_too_long_to_store_fail_alone(album: Album) -> None:
    table(album, "file,x", f"red,{'long ' * 20_000}", "blue,short")
    report = album.ingest()
    assert counts(report) == (17, 0, 0, 0, 1)
    assert report.failed[0].path == "red.png"
    assert "metadata is longer than 65000 bytes" in report.failed[0].reason
    assert album.metadata("blue.png")["x"] == "short"


def test_values_that_become_too_long_leave_what_was_there(album: Album) -> None:
    table(album, "file,x", "red,short")
    album.ingest()
    table(album, "file,x", f"red,{'long ' * 20_000}")
    for _ in range(2):
        report = album.ingest()
        assert counts(report) == (0, 0, 17, 0, 1)
        assert album.metadata("red.png")["x"] == "short"
    (album.folder / "red.png").touch()
    assert counts(album.ingest()) == (0, 0, 17, 0, 1)


def test_odd_columns_and_values_come_back_as_they_were(album: Album) -> None:
    path = album.folder / "rows.jsonl"
    path.write_text('{"file": "red", "a \\"b\\" \\n [c]": "x\\u0000\\n\\ud800 \\\\ 😀"}\n')
    album.ingest(metadata=path)
    value = "x\0\n\ud800 \\ 😀"
    assert album.metadata("red.png") == {"file": "red", 'a "b" \n [c]': value}
    assert counts(album.ingest(metadata=path)) == (0, 0, 18, 0, 0)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["file,x", "nothing,1"], "No column"),
        (["file,x"], "no rows"),
        (["file," + ",".join("c" * 80 + str(n) for n in range(900)), "red,1"], "too many"),
    ],
    ids=["no match", "no rows", "too many columns"],
)
def test_a_table_that_cannot_be_used_makes_no_index(
    unmade_album: Album, lines: list[str], words: str
) -> None:
    draw_album(unmade_album.folder, kinds=1)
    table(unmade_album, *lines)
    with pytest.raises(UsageError, match=words):
        unmade_album.ingest()
    with pytest.raises(UnknownIndexError):
        unmade_album.store.open(unmade_album.name)


def test_a_table_that_cannot_be_used_changes_no_index(album: Album) -> None:
    album.ingest()
    table(album, "file,x", "nothing,1")
    with pytest.raises(UsageError, match="No column"):
        album.ingest()
    assert (album.index.info.state, album.index.count()) == ("ready", 18)

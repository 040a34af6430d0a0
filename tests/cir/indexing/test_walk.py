"""Which files count as images of a folder."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from cir.indexing import walk
from cir.indexing.walk import Walk, walk_images
from cir.progress import Progress, ProgressTeller
from cir.settings import load_settings
from tests.privileges import permissions_hold


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def walked(folder: Path) -> tuple[list[str], dict[str, str]]:
    """Paths of the images, and the reasons of what could not be looked at."""
    problems: dict[str, str] = {}
    found = [each.path for each in walk_images(folder, problems.__setitem__)]
    return found, problems


def test_images_of_all_subfolders_come_in_a_stable_order(tmp_path: Path) -> None:
    touch(tmp_path, "b.PNG", "a.jpeg", "sub/deep/c.webp", "sub/b.gif", "notes.txt", "jpg", "x.jpg.")
    assert walked(tmp_path) == (["a.jpeg", "b.PNG", "sub/b.gif", "sub/deep/c.webp"], {})


def test_size_and_time_are_those_of_the_file(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    os.utime(tmp_path / "a.jpg", ns=(5, 1_234_567_891))
    (found,) = walk_images(tmp_path)
    assert (found.size, found.modified) == (1, 1_234_567_891)


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "._a.jpg", ".thumbs/a.jpg", ".hidden.png", "a.jpg")
    assert walked(tmp_path) == (["a.jpg"], {})


def test_a_folder_named_like_an_image_is_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "album.jpg/a.jpg")
    assert walked(tmp_path) == (["album.jpg/a.jpg"], {})


def test_links_to_files_count_and_loops_do_not_trap(tmp_path: Path) -> None:
    touch(tmp_path, "sub/a.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "sub" / "a.jpg")
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone")
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    found, problems = walked(tmp_path)
    assert found == ["link.jpg", "sub/a.jpg"]
    assert sorted(problems) == ["broken.jpg", "self.jpg"]
    assert all(reason.startswith("cannot be looked at (") for reason in problems.values())


def test_pipes_are_named_and_not_read(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert walked(tmp_path) == (["a.jpg"], {"pipe.jpg": "is not an ordinary file"})


def test_a_closed_folder_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "closed/a.jpg", "open/b.jpg")
    (tmp_path / "closed").chmod(0)
    try:
        with permissions_hold():
            found, problems = walked(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o755)
    assert found == ["open/b.jpg"]
    assert list(problems) == ["closed"]


def test_a_folder_that_vanished_is_a_problem_and_not_a_crash(tmp_path: Path) -> None:
    assert walked(tmp_path / "gone") == (
        [],
        {".": "cannot be looked at (No such file or directory)"},
    )


def test_a_data_folder_among_the_images_is_passed_over(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "data", secrets_file=tmp_path / "none")
    touch(tmp_path, "a.jpg", "data/thumbnails/x.jpg", "data/sample/b.jpg")
    assert walked(tmp_path) == (["a.jpg"], {})
    assert walked(settings.data_dir / "sample") == (["b.jpg"], {})


ELEVEN = [f"{number:02}.jpg" for number in range(11)]


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "CHUNK_FILES", 2)
    monkeypatch.setattr(walk, "CHUNKS_AHEAD", 3)


def fail(path: str, reason: str) -> None:
    raise AssertionError(f"{path}: {reason}")


@pytest.mark.usefixtures("small_chunks")
def test_files_are_looked_at_any_number_of_times_and_then_taken_once(tmp_path: Path) -> None:
    touch(tmp_path, *ELEVEN)
    with closing(Walk(tmp_path, ProgressTeller(None, None), only={"03.jpg", "10.jpg"})) as one:
        for _ in range(2):
            assert [each.path for each in one.look()] == ELEVEN
        assert [each.path for each in one.look_wanted()] == ["03.jpg", "10.jpg"]
        assert [each.path for each in one.take(fail)] == ["03.jpg", "10.jpg"]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("count", [0, 1, 2, 6, 7])
def test_every_number_of_files_comes_to_its_end(tmp_path: Path, count: int) -> None:
    touch(tmp_path, *ELEVEN[:count])
    teller = ProgressTeller(None, None)
    with closing(Walk(tmp_path, teller)) as one:
        assert [each.path for each in one.look()] == ELEVEN[:count]
        assert [each.path for each in one.take(fail)] == ELEVEN[:count]
    assert (teller.total, teller.growing) == (count, False)


@pytest.mark.usefixtures("small_chunks")
def test_the_thread_runs_ahead_so_far_and_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, *ELEVEN)
    asked: list[str] = []
    status = os.stat

    def stat(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
        if threading.current_thread().name.startswith("walk"):
            asked.append(Path(path).name)
        return status(path, *arguments, **options)

    monkeypatch.setattr("cir.indexing.walk.os.stat", stat)
    told: list[Progress] = []
    teller = ProgressTeller(None, told.append)
    with closing(Walk(tmp_path, teller)) as one:
        files = one.take(fail)
        next(files)
        time.sleep(0.2)
        assert asked == ELEVEN[:8]  # the chunk that is being taken, and three
        teller.count(1)
        assert [each.path for each in files] == ELEVEN[1:]
        teller.count(10)
    first, last = told
    assert (first.total, first.growing, first.remaining) == (8, True, None)
    assert (last.done, last.total, last.growing) == (11, 11, False)


def test_problems_are_told_once_in_the_readers_thread(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone")
    told: list[tuple[str, threading.Thread]] = []
    with closing(Walk(tmp_path, ProgressTeller(None, None))) as one:
        assert len(list(one.look())) == 1
        files = one.take(lambda path, reason: told.append((path, threading.current_thread())))
        assert [each.path for each in files] == ["a.jpg"]
    assert told == [("broken.jpg", threading.current_thread())]


def test_an_error_in_the_thread_reaches_the_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> Iterator[Any]:
        return map(exec, ["raise MemoryError"])

    monkeypatch.setattr(walk, "walk_images", broken)
    with closing(Walk(tmp_path, ProgressTeller(None, None))) as one, pytest.raises(MemoryError):
        next(one.take(fail))


def test_a_reader_that_stops_leaves_no_thread(tmp_path: Path) -> None:
    touch(tmp_path, *ELEVEN)
    with closing(Walk(tmp_path, ProgressTeller(None, None))) as one:
        next(one.look())
    assert not [each for each in threading.enumerate() if each.name.startswith("walk")]


def test_links_lead_nowhere_out_of_the_roots(tmp_path: Path) -> None:
    root, other, elsewhere = tmp_path / "root", tmp_path / "root too", tmp_path / "elsewhere"
    touch(root, "a.png", "sub/b.png")
    touch(other, "c.png")
    touch(elsewhere, "secret.png", "folder/secret.png")
    (root / "out.png").symlink_to(elsewhere / "secret.png")
    (root / "sub" / "far.png").symlink_to("../../elsewhere/secret.png")
    (root / "twice.png").symlink_to(root / "out.png")
    (root / "folder").symlink_to(elsewhere / "folder")
    (root / "in.png").symlink_to(root / "sub" / "b.png")
    (root / "too.png").symlink_to(other / "c.png")
    problems: dict[str, str] = {}
    roots = (root.resolve(), other.resolve())
    found = [each.path for each in walk_images(root, problems.__setitem__, roots)]
    assert found == ["a.png", "in.png", "too.png", "sub/b.png"]
    assert set(problems) == {"out.png", "twice.png", "sub/far.png"}
    assert "leads out" in problems["out.png"]
    # Without roots a person has the machine to himself.
    assert "out.png" in walked(root)[0] and "folder/secret.png" not in walked(root)[0]

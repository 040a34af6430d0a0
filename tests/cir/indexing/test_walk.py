"""Which files count as images of a folder."""

import os
from pathlib import Path

from cir.indexing.walk import walk_images
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

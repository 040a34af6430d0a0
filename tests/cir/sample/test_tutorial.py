"""The tutorial's photos, out of an archive that somebody has downloaded."""

import io
import tarfile
from pathlib import Path

import pytest

from cir.encoders.registry import load_encoder
from cir.errors import UsageError
from cir.sample import building
from cir.sample.building import ADDRESS, TUTORIAL_NAME, build_tutorial, unpack_tutorial
from cir.settings import load_settings
from cir.store import index_store
from tests.cir.command_line import CommandLine
from tests.drawn import content, solid

PHOTO = content(solid("orange"))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return packed(
        tmp_path / "photos.tar.gz",
        ("images_folder/images/a.jpg", PHOTO),
        ("images_folder/leopard.jpg", PHOTO),
        ("images_folder/._leopard.jpg", b"of macOS"),
        ("images_folder/notes.txt", b"no image"),
    )


def packed(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_the_photos_become_an_index_and_the_archive_is_needed_once(
    archive: Path, tmp_path: Path
) -> None:
    settings = load_settings(data_dir=tmp_path / "data", secrets_file=tmp_path / "none")
    store, encoder = index_store(settings), load_encoder("compact")
    assert build_tutorial(store, settings, encoder, archive).added == 2
    assert {record.path for record in store.open(TUTORIAL_NAME).iterate()} == {
        "images_folder/images/a.jpg",
        "images_folder/leopard.jpg",
    }
    assert build_tutorial(store, settings, encoder, None).unchanged == 2
    store.close()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.txt", b"x")], "holds no images"),
        ([("../a.jpg", PHOTO)], "points out of it"),
        ([("a.jpg", b" " * 2**21)], "unpacks to more than 1 MB"),
    ],
)
def test_another_archive_is_one_sentence_and_leaves_nothing(
    members: list[tuple[str, bytes]],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(building, "MAX_UNPACKED", 2**20)
    archive = packed(tmp_path / "photos.tar.gz", *members)
    with pytest.raises(UsageError, match=message):
        unpack_tutorial(archive, tmp_path / "data" / "photos")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_file_that_is_none_is_one_sentence(archive: Path, tmp_path: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:100])
    with pytest.raises(UsageError, match="damaged"):
        unpack_tutorial(archive, tmp_path / "photos")
    with archive.open("wb") as file:
        file.truncate(building.MAX_BYTES + 1)
    with pytest.raises(UsageError, match="larger than"):
        unpack_tutorial(archive, tmp_path / "photos")
    assert [path.name for path in tmp_path.iterdir()] == ["photos.tar.gz"]


def test_the_command_line_says_where_the_archive_is(
    command_line: CommandLine, archive: Path
) -> None:
    way = f"Download {ADDRESS} (20 MB). Then: python -m cir sample --tutorial --from FILE"
    for arguments, lack in (
        ((), "The tutorial's photos are not here."),
        (("--from", "none.tar.gz"), "There is no file none.tar.gz."),
    ):
        done = command_line.run("sample", "--tutorial", *arguments)
        assert (done.returncode, done.stderr) == (2, f"Error: {lack} {way}\n")
    document = command_line.document("sample", "--tutorial", "--from", archive)
    assert (document["index"], document["added"]) == (TUTORIAL_NAME, 2)

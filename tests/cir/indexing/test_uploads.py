"""Uploads: whatever is sent, nothing leaves its folder and nothing half done stays."""

import io
import stat
import struct
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from cir.errors import UsageError
from cir.indexing import archives, uploads
from cir.indexing.uploads import (
    Upload,
    folder_table,
    forget_upload,
    keep_table,
    receive,
    upload_folder,
)
from cir.jobs.background import JobCancelled
from cir.progress import Progress
from tests.drawn import content, solid
from tests.small_disk import fill, small_disk

RED = content(solid("red"))
BLUE = content(solid("blue"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, body in files.items():
            archive.writestr(zipfile.ZipInfo(name), body, method)
    return buffer.getvalue()


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def require_refused(upload: Upload, data: Path, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        receive([upload], data)
    assert files(data) == {}
    assert [path.name for path in data.rglob("*")] in ([], ["uploads"])


def test_images_are_kept_under_their_names_without_folders(data: Path) -> None:
    sent = [
        Upload("röd 紅.png", RED),
        Upload("../../etc/blue.PNG", BLUE),
        Upload("C:\\temp\\..hidden\x00\n.png", BLUE),
    ]
    received = receive(sent, data)
    assert received.images == 3
    assert files(received.folder) == {"röd 紅.png": RED, "blue.PNG": BLUE, "hidden.png": BLUE}
    assert received.folder.parent == data / "uploads"


def test_a_taken_name_gets_a_number_and_the_same_file_is_kept_once(data: Path) -> None:
    sent = [Upload("a.png", RED), Upload("a.png", BLUE), Upload("a.png", RED)]
    received = receive(sent, data)
    assert files(received.folder) == {"a.png": RED, "a (2).png": BLUE}
    assert (received.images, received.known) == (2, 1)


def test_a_very_long_name_is_shortened(data: Path) -> None:
    received = receive([Upload("紅" * 300 + ".png", RED)], data)
    (name,) = files(received.folder)
    assert name.startswith("紅紅")
    assert name.endswith(".png")


def test_more_images_come_into_the_same_folder(data: Path) -> None:
    first = receive([Upload("a.png", RED)], data)
    sent = [Upload("a.png", BLUE), Upload("b.zip", zipped({"a.png": RED, "x/c.png": BLUE}))]
    more = receive(sent, data, into=first.folder)
    assert more.folder == first.folder
    assert files(first.folder) == {"a.png": RED, "a (2).png": BLUE, "x/c.png": BLUE}
    assert (more.images, more.known) == (2, 1)


def test_a_zip_gives_its_images_and_its_table(data: Path) -> None:
    sent = zipped(
        {
            "shirts/red.png": RED,
            "shirts/new/blue.png": BLUE,
            "shirts/metadata.csv": b"file,colour\nred.png,red\n",
            "shirts/notes.txt": b"notes",
            "shirts/.hidden.png": RED,
            "__MACOSX/shirts/._red.png": b"x",
        }
    )
    received = receive([Upload("Shirts.ZIP", sent)], data)
    table = b"file,colour\nred.png,red\n"
    kept = {"red.png": RED, "new/blue.png": BLUE, "metadata.csv": table}
    assert files(received.folder) == kept
    assert (received.images, received.left_out) == (2, 1)


def test_unicode_names_survive_programs_that_do_not_declare_them(data: Path) -> None:
    sent = zipped({"X" * len("röd.png".encode()): RED, "b.png": BLUE})
    sent = sent.replace(b"X" * len("röd.png".encode()), "röd.png".encode())
    received = receive([Upload("a.zip", sent)], data)
    assert set(files(received.folder)) == {"röd.png", "b.png"}


@pytest.mark.parametrize(
    "name",
    [
        "../a.png",
        "x/../../a.png",
        "/a.png",
        "..\\a.png",
        "x\\..\\..\\a.png",
        "C:\\a.png",
        "C:a.png",
    ],
)
def test_an_entry_that_points_out_of_the_zip_refuses_it(data: Path, name: str) -> None:
    sent = Upload("a.zip", zipped({"fine.png": RED, name: BLUE}))
    require_refused(sent, data, "points out of it")


def test_a_link_refuses_the_zip(data: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    require_refused(Upload("a.zip", buffer.getvalue()), data, "is a link")


def test_an_encrypted_zip_is_refused(data: Path) -> None:
    sent = bytearray(zipped({"a.png": RED}))
    sent[sent.index(b"PK\x01\x02") + 8] |= 1
    sent[sent.index(b"PK\x03\x04") + 6] |= 1
    require_refused(Upload("a.zip", bytes(sent)), data, "encrypted")


@pytest.mark.parametrize("cut", [10, 60, -30])
def test_a_damaged_zip_is_refused(data: Path, cut: int) -> None:
    require_refused(Upload("a.zip", zipped({"a.png": RED})[:cut]), data, "damaged")


def test_a_zip_with_a_damaged_file_leaves_nothing(data: Path) -> None:
    sent = bytearray(zipped({"a.png": RED, "b.png": BLUE}, zipfile.ZIP_STORED))
    sent[sent.index(BLUE) + 20] ^= 0xFF
    require_refused(Upload("a.zip", bytes(sent)), data, "damaged")


def test_an_unknown_packing_is_refused(data: Path) -> None:
    sent = bytearray(zipped({"a.png": RED}))
    struct.pack_into("<H", sent, sent.index(b"PK\x01\x02") + 10, 97)
    require_refused(Upload("a.zip", bytes(sent)), data, "a way that cannot be read")


def test_a_bomb_is_refused_by_what_comes_out(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 2**20)
    sent = zipped({f"{number}.png": bytes(3 * 2**20) for number in range(4)})
    require_refused(Upload("a.zip", sent), data, "unpacks to more than 2 MB")


def test_the_limit_does_not_believe_the_header(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 2**20)
    sent = bytearray(zipped({"a.png": bytes(3 * 2**20)}))
    struct.pack_into("<I", sent, sent.index(b"PK\x01\x02") + 24, 10)
    require_refused(Upload("a.zip", bytes(sent)), data, "unpacks to more than 1 MB|damaged")


def test_too_many_entries_are_refused(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_ENTRIES", 5)
    sent = zipped({f"{number}.txt": b"" for number in range(6)})
    require_refused(Upload("a.zip", sent), data, "more than 5 files")


def test_a_zip_without_images_is_refused(data: Path) -> None:
    require_refused(Upload("a.zip", zipped({"a.txt": b"x"})), data, "holds no images")


def test_a_file_in_place_of_a_folder_is_one_sentence(data: Path) -> None:
    sent = zipped({"x/a.png": RED, "x/a.png/b.png": BLUE})
    require_refused(Upload("a.zip", sent), data, "cannot be kept")


def test_limits_of_number_and_size(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_FILES", 2)
    with pytest.raises(UsageError, match="3 files are too many"):
        receive([Upload(f"{number}.png", RED) for number in range(3)], data)
    monkeypatch.setattr(uploads, "MAX_BYTES", 10)
    require_refused(Upload("a.png", RED), data, "too much at once")
    monkeypatch.setattr(uploads, "MAX_BYTES", 1000)
    monkeypatch.setattr(uploads, "MAX_TABLE_BYTES", 2**20)
    with pytest.raises(UsageError, match=r"t.csv is larger than 1 MB"):
        receive([Upload("a.png", RED)], data, table=Upload("t.csv", bytes(2**20 + 1)))
    monkeypatch.setattr(uploads, "MAX_BYTES", 100)
    require_refused(Upload("a.txt", b"x"), data, "not an image file by its name")
    with pytest.raises(UsageError, match="nothing to index"):
        receive([], data)


def test_a_stopped_upload_leaves_nothing(data: Path) -> None:
    def stop(progress: Progress) -> None:
        if (progress.done, progress.total) == (1, 2):
            raise JobCancelled

    with pytest.raises(JobCancelled):
        receive([Upload("a.zip", zipped({"a.png": RED, "b.png": BLUE}))], data, on_progress=stop)
    assert files(data) == {}


def test_a_table_of_other_images_is_refused(data: Path) -> None:
    table = Upload("t.csv", b"file,colour\nother.png,red\n")
    with pytest.raises(UsageError, match="names the images"):
        receive([Upload("a.png", RED)], data, table=table)
    assert files(data) == {}


def test_a_new_table_takes_the_place_of_the_earlier_one(data: Path) -> None:
    first = receive([Upload("a.png", RED)], data, table=Upload("t.csv", b"file\na.png\n"))
    assert folder_table(first.folder) == first.folder / "metadata.csv"
    table = Upload("t.JSONL", b'{"file": "b.png"}\n')
    receive([Upload("b.png", BLUE)], data, table=table, into=first.folder)
    assert folder_table(first.folder) == first.folder / "metadata.jsonl"
    assert set(files(first.folder)) == {"a.png", "b.png", "metadata.jsonl"}


def test_a_kept_table_stays_when_the_next_one_does_not_fit(data: Path, tmp_path: Path) -> None:
    images, home = tmp_path / "images", data / "tables" / "x"
    images.mkdir()
    (images / "a.png").write_bytes(RED)
    keep_table(Upload("t.csv", b"file\na.png\n"), images, home, data)
    with pytest.raises(UsageError):
        keep_table(Upload("t.tsv", b"file\nz.png\n"), images, home, data)
    assert folder_table(home) == home / "metadata.csv"


def test_only_uploads_are_forgotten(data: Path, tmp_path: Path) -> None:
    folder = receive([Upload("a.png", RED)], data).folder
    other = tmp_path / "mine"
    other.mkdir()
    (data / "uploads" / "link").symlink_to(other)
    for kept in (other, data, data / "uploads", data / "uploads" / "link", folder / "x" / ".."):
        assert upload_folder(str(kept), data) is None
        forget_upload(kept, data)
    assert other.exists()
    assert folder.exists()
    assert upload_folder(str(folder), data) == folder
    forget_upload(folder, data)
    assert not folder.exists()


def test_many_names_that_become_one_take_no_more_time_than_others(data: Path) -> None:
    # Control characters are left out of names: all of these are called a.png.
    names = [
        f"{chr(1 + number % 31)}{chr(1 + number // 31 % 31)}{chr(1 + number // 961)}a.png"
        for number in range(3000)
    ]
    sent = zipped({name: str(at).encode() for at, name in enumerate(names)}, zipfile.ZIP_STORED)
    started = time.process_time()
    received = receive([Upload("a.zip", sent)], data)
    assert time.process_time() - started < 10
    assert received.images == 3000
    assert (received.folder / "a (3000).png").exists()


def test_names_that_differ_in_case_or_unicode_form_are_all_kept(data: Path) -> None:
    sent = {"a.png": b"1", "A.png": b"2", "\u00e4.png": b"3", "a\u0308.png": b"4"}
    received = receive([Upload("a.zip", zipped(sent))], data)
    assert received.images == 4
    assert sorted(files(received.folder).values()) == [b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("zips", [False, True])
def test_an_upload_for_which_there_is_no_room_leaves_nothing(zips: bool) -> None:
    noise = {f"{number}.png": bytes([number]) * 40_000 for number in range(10)}
    sent = [Upload("all.zip", zipped(noise, zipfile.ZIP_STORED))] if zips else []
    sent = sent or [Upload(*each) for each in noise.items()]
    with small_disk(1) as disk:
        filler = fill(disk, 200_000)
        with pytest.raises(UsageError, match=r"No space left on device.*Nothing was kept"):
            receive(sent, disk)
        assert list((disk / "uploads").iterdir()) == []
        filler.unlink()
        assert receive(sent, disk).images == 10

"""Tar files, and zips that are read in memory; `test_uploads.py` sends zips that are unpacked."""

import copy
import gzip
import io
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from random import Random

import pytest

from cir.errors import UsageError
from cir.indexing import archives
from cir.indexing.archives import opened_archive, read_zip, shallowest


def packed(*members: tarfile.TarInfo | tuple[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def special(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def read_tar(content: bytes, limit: int = 2**30) -> dict[str, bytes]:
    with opened_archive("a.tar", content, kind="tar", limit=limit) as entries:
        return {str(entry.path): entry.read() for entry in entries}


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_gives_its_files_however_it_is_packed(mode: str) -> None:
    folder = special("./x", tarfile.DIRTYPE)
    content = packed(folder, ("./x/a", b"1"), ("b", b""), ("._b", b"2"), (".c/d", b"3"), mode=mode)
    assert read_tar(content) == {"x/a": b"1", "b": b""}


def test_an_entry_is_unpacked_to_a_new_file_alone(tmp_path: Path) -> None:
    with opened_archive("a.tar", packed(("a", b"1")), kind="tar") as (entry,):
        entry.unpack(tmp_path / "a")
        assert (tmp_path / "a").read_bytes() == b"1"
        with pytest.raises(FileExistsError):
            entry.unpack(tmp_path / "a")


@pytest.mark.parametrize("name", ["../a", "x/../../a", "/a", "..\\a", "C:a"])
def test_an_entry_that_points_out_of_a_tar_refuses_it(name: str) -> None:
    with pytest.raises(UsageError, match="points out of it"):
        read_tar(packed(("fine", b""), (name, b"")))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_what_is_no_file_refuses_a_tar(kind: bytes) -> None:
    with pytest.raises(UsageError, match="is a link, not a file"):
        read_tar(packed(("fine", b""), special("other", kind)))


NOISE = Random(1).randbytes(50_000)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_damaged_tar_is_one_sentence(mode: str) -> None:
    whole = packed(("a", NOISE), mode=mode)
    damaged = [b"", b"no tar", whole[:40], whole[:5000]]
    if mode in {"w:bz2", "w:xz"}:  # gzip checks at its end alone
        damaged.append(whole[:5000] + b"?" + whole[5001:])
    for content in damaged:
        with pytest.raises(UsageError, match=r"a\.tar is not a tar file, or it is damaged"):
            read_tar(content)


def test_a_tar_is_bounded_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    header = special("a", tarfile.REGTYPE)
    header.size = 2**40  # which does not follow
    with pytest.raises(UsageError, match="unpacks to more than 1 MB"):
        read_tar(gzip.compress(header.tobuf()), limit=2**20)
    with pytest.raises(UsageError, match="unpacks to more than 100 MB"):  # none is that small
        read_tar(gzip.compress(header.tobuf()))
    monkeypatch.setattr(archives, "MAX_ENTRIES", 2)
    with pytest.raises(UsageError, match="more than 2 files"):
        read_tar(packed(*((str(number), b"") for number in range(3))))


def test_only_what_is_wanted_of_a_zip_is_read_and_counted() -> None:
    content = zipped(**{"a": b"1", "x/b": b" " * 2**21, ".a": b"", "__MACOSX/a": b""})
    assert read_zip("a.zip", content, lambda path: path.name == "a", 2**20) == {
        PurePosixPath("a"): b"1"
    }
    with pytest.raises(UsageError, match="unpacks to more than 1 MB"):
        read_zip("a.zip", content, lambda path: True, 2**20)


def test_the_shallowest_of_a_name_is_found() -> None:
    paths = [PurePosixPath(path) for path in ("z/y/a", "z/a", "y/a", "b")]
    assert shallowest(paths, "a") == PurePosixPath("y/a")
    assert shallowest(paths, "c") is None


def named(*names: str, body: bytes = b"") -> bytes:
    """A zip of entries with these names, whatever they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, body)
    return buffer.getvalue()


DEEP = "/".join("abcdefghijklmnopqrstuvwxyzABCDEF")  # 32 folders

TRICKY: dict[str, tuple[Callable[[], bytes], str]] = {
    "one name twice": (lambda: named("a.png", "b/c.png", "b/c.png"), "two entries named 'b/c.png'"),
    "one name, spelled twice": (lambda: named("a.png", "./a.png", "x//y"), "two entries named"),
    "no name": (lambda: named("a.png", ""), "an entry without a name"),
    "only a dot": (lambda: named("."), "an entry without a name"),
    "a deep one": (lambda: named(DEEP + "/x/a.png"), "more than 32 folders deep"),
    "18,000 folders in 74 KB": (lambda: named("a/" * 18_000 + "b.png"), "more than 32 folders"),
    "many folders": (
        lambda: named(*(f"{number}/{DEEP[:-2]}/a.png" for number in range(350))),
        "350 files over more than 1,350 folders",
    ),
    "a long name": (lambda: named("../" + "a" * 60_000), "points out of it"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", TRICKY)
def test_tricky_zips_are_refused_at_once_in_a_sentence(name: str) -> None:
    make, reason = TRICKY[name]
    packed_up = make()
    started = time.process_time()
    with (
        pytest.raises(UsageError, match=reason) as caught,
        opened_archive("a.zip", packed_up),
    ):
        pass
    assert time.process_time() - started < 1
    assert len(str(caught.value)) < 300


def test_a_folder_for_each_file_is_no_trick() -> None:
    content = named(*(f"{number}/a.png" for number in range(3000)), "x/", DEEP + "/a.png")
    with opened_archive("a.zip", content) as entries:
        assert len(entries) == 3001


def test_entries_that_share_their_bytes_count_each_time() -> None:
    body = bytes(2**20)
    whole = io.BytesIO(zipped(a=body))
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED) as archive:
        first = archive.infolist()[0]
        for number in range(500):
            again = copy.copy(first)
            again.filename = again.orig_filename = f"{number}"
            archive.filelist.append(again)
        archive._didModify = True  # type: ignore[attr-defined]
    started = time.process_time()
    with pytest.raises(UsageError), opened_archive("a.zip", whole.getvalue()) as entries:
        for entry in entries:
            entry.read()
    assert time.process_time() - started < 5

"""A folder into an index, again and again: only what changed costs anything."""

import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cir.encoders.compact import encoder as compact_module
from cir.encoders.compact.encoder import CompactEncoder
from cir.errors import EncoderMismatchError, UnknownIndexError, UsageError
from cir.images import content_hash, read_bytes
from cir.indexing import folder, walk
from cir.progress import Progress
from cir.store import image_id
from cir.store.exactness import EXACT_IMAGES
from tests.cir.album import Album, CountingEncoder, counts, require_same_content
from tests.drawn import draw_album, save, solid, spoil_album, striped
from tests.privileges import permissions_hold


def test_a_folder_is_indexed_with_its_subfolders(album: Album) -> None:
    report = album.ingest()
    assert counts(report) == (18, 0, 0, 0, 0)
    assert (report.index, report.encoder) == (album.name, "compact")
    info = album.index.info
    assert (info.state, info.count, info.source) == ("ready", 18, str(album.folder))
    path = "striped/checked/red checked.png"
    record, file = album.records[path], album.folder / path
    assert (record.id, record.content_hash) == (image_id(path), content_hash(file.read_bytes()))
    assert (record.size, record.modified) == (file.stat().st_size, file.stat().st_mtime_ns)
    assert (record.width, record.height) == (48, 36)
    assert len(album.index.thumbnails([record.id])) == 1


def test_embeddings_are_those_of_the_files(album: Album, compact: CompactEncoder) -> None:
    album.ingest()
    vector = album.index.vectors([image_id("red.png")])
    np.testing.assert_allclose(vector, compact.encode_images([solid("red")]), atol=1e-5)


def test_a_second_run_finds_all_unchanged_and_encodes_nothing(album: Album) -> None:
    album.ingest()
    assert counts(album.ingest()) == (0, 0, 18, 0, 0)
    assert album.encoder.encoded == 0


def test_a_touched_file_is_unchanged_and_not_encoded_again(album: Album) -> None:
    album.ingest()
    os.utime(album.folder / "red.png", ns=(1, 1))
    assert counts(album.ingest()) == (0, 0, 18, 0, 0)
    assert album.encoder.encoded == 0
    assert album.records["red.png"].modified == 1
    assert len(album.index.thumbnails([image_id("red.png")])) == 1


def test_changed_content_updates(album: Album, compact: CompactEncoder) -> None:
    album.ingest()
    save(striped("red", (60, 90)), album.folder / "red.png")
    assert counts(album.ingest()) == (0, 1, 17, 0, 0)
    assert album.encoder.encoded == 1
    record = album.records["red.png"]
    assert (record.width, record.height) == (60, 90)
    fresh = compact.encode_images([striped("red", (60, 90))])
    np.testing.assert_allclose(album.index.vectors([record.id]), fresh, atol=1e-5)


def test_new_files_are_added(album: Album) -> None:
    album.ingest()
    save(solid("brown"), album.folder / "brown.png")
    assert counts(album.ingest()) == (1, 0, 18, 0, 0)
    assert (album.encoder.encoded, album.index.info.count) == (1, 19)


def test_only_prune_removes_what_is_gone(album: Album) -> None:
    album.ingest()
    shutil.rmtree(album.folder / "striped" / "checked")
    assert counts(album.ingest()) == (0, 0, 12, 0, 0)
    assert album.index.info.count == 18
    assert counts(album.ingest(prune=True)) == (0, 0, 12, 6, 0)
    assert len(album.records) == album.index.info.count == 12


def test_a_file_that_became_a_folder_is_gone(album: Album) -> None:
    album.ingest()
    (album.folder / "red.png").unlink()
    (album.folder / "red.png").mkdir()
    assert counts(album.ingest(prune=True)) == (0, 0, 17, 1, 0)


def test_a_folder_that_lost_all_its_images_loses_nothing_in_the_index(album: Album) -> None:
    album.ingest()
    shutil.rmtree(album.folder)
    album.folder.mkdir()
    with pytest.raises(UsageError, match=r"holds no images.*Nothing was changed"):
        album.ingest(prune=True)
    assert (album.index.count(), album.index.info.state) == (18, "ready")


def test_bad_files_are_listed_and_the_rest_is_indexed(album: Album) -> None:
    bad = spoil_album(album.folder)
    (album.folder / "broken.jpg").symlink_to(album.folder / "gone")
    report = album.ingest()
    assert counts(report) == (18, 0, 0, 0, len(bad) + 1)
    assert sorted(each.path for each in report.failed) == sorted([*bad, "broken.jpg"])
    assert all(each.reason for each in report.failed)
    assert album.index.info.state == "ready"


def test_what_became_unreadable_keeps_its_place(album: Album) -> None:
    album.ingest()
    before = album.records
    (album.folder / "red.png").write_bytes(b"overwritten")
    (album.folder / "blue.png").unlink()
    (album.folder / "blue.png").symlink_to(album.folder / "unmounted" / "blue.png")
    for prune in (False, True):
        report = album.ingest(prune=prune)
        assert counts(report) == (0, 0, 16, 0, 2)
        assert {each.path for each in report.failed} == {"red.png", "blue.png"}
    assert album.records == before


def test_what_may_not_be_read_keeps_its_place(album: Album) -> None:
    album.ingest()
    (album.folder / "red.png").touch()
    closed = [album.folder / "red.png", album.folder / "striped"]
    for path in closed:
        path.chmod(0)
    try:
        with permissions_hold():
            report = album.ingest(prune=True)
    finally:
        for path in closed:
            path.chmod(0o755)
    assert counts(report) == (0, 0, 5, 0, 2)
    assert {each.path for each in report.failed} == {"red.png", "striped"}
    assert all("Permission denied" in each.reason for each in report.failed)
    assert len(album.records) == 18


@pytest.mark.parametrize("chunks", [(1, 1, 1), (7, 4, 5)], ids=str)
def test_the_size_of_chunks_changes_nothing(
    album: Album, monkeypatch: pytest.MonkeyPatch, chunks: tuple[int, ...]
) -> None:
    usual = Album(album.store, album.encoder, album.folder, uuid.uuid4().hex)
    usual.ingest()
    plan, album.encoder.batch, upsert = chunks
    for name, size in {"PLAN_FILES": plan, "UPSERT_ROWS": upsert}.items():
        monkeypatch.setattr(folder, name, size)
    assert counts(album.ingest()) == (18, 0, 0, 0, 0)
    require_same_content(album.index, usual.index)
    assert counts(album.ingest()) == (0, 0, 18, 0, 0)


def test_progress_reaches_its_end(album: Album) -> None:
    spoil_album(album.folder)
    told: list[Progress] = []
    album.ingest(on_progress=told.append)
    last = told[-1]
    assert (last.done, last.total, last.failed) == (22, 22, 4)
    assert [each.done for each in told] == sorted(each.done for each in told)


def test_one_ingest_is_one_walk(album: Album, monkeypatch: pytest.MonkeyPatch) -> None:
    (album.folder / "metadata.csv").write_text("file,x\nred,1\n")
    walks: list[Path] = []

    def counted(top: Path, **options: Any) -> Iterator[Any]:
        walks.append(top)
        return os_walk(top, **options)

    os_walk = os.walk
    monkeypatch.setattr("cir.indexing.walk.os.walk", counted)
    for call in range(1, 3):
        album.ingest(prune=True)
        assert walks == [album.folder] * call


def test_only_the_images_that_are_wanted_count(album: Album) -> None:
    told: list[Progress] = []
    wanted = {"red.png", "striped/red striped.png"}
    assert counts(album.ingest(only=wanted, on_progress=told.append)) == (2, 0, 0, 0, 0)
    assert (told[-1].done, told[-1].total, told[-1].growing) == (2, 2, False)
    with pytest.raises(UsageError, match="holds no images"):
        album.ingest(only={"none.png"})


@pytest.mark.parametrize(("most", "exact"), [(17, False), (18, True)])
def test_a_small_index_on_a_server_is_exact(
    album: Album, monkeypatch: pytest.MonkeyPatch, most: int, exact: bool
) -> None:
    """A Lite file takes the same choice, so that no server is needed here."""
    fresh = Album(album.store, album.encoder, album.folder, uuid.uuid4().hex)
    monkeypatch.setattr(fresh.store, "backend", "Milvus server")
    monkeypatch.setattr(folder, "EXACT_IMAGES", most)
    fresh.ingest()
    assert fresh.index.info.exact is exact


def test_the_thread_looks_far_enough_ahead_to_choose_the_kind_of_index() -> None:
    assert walk.CHUNK_FILES * walk.CHUNKS_AHEAD > EXACT_IMAGES


def test_another_folder_needs_another_name(album: Album, tmp_path: Path) -> None:
    album.ingest()
    other = Album(album.store, album.encoder, draw_album(tmp_path / "other"), album.name)
    with pytest.raises(UsageError, match="another name"):
        other.ingest()
    # A folder that was moved keeps its index.
    shutil.rmtree(other.folder)
    album.folder.rename(other.folder)
    assert counts(other.ingest()) == (0, 0, 18, 0, 0)
    assert other.index.info.source == str(other.folder)


def test_another_encoder_is_refused_and_both_are_named(
    album: Album, tmp_path: Path, compact: CompactEncoder
) -> None:
    album.ingest()
    shutil.copytree(compact_module.FOLDER, tmp_path / "weights")
    with (tmp_path / "weights" / "tokenizer.json").open("a") as file:
        file.write("\n")
    other = CompactEncoder(tmp_path / "weights")
    album.encoder = CountingEncoder(other)
    with pytest.raises(EncoderMismatchError) as caught:
        album.ingest()
    for fingerprint in (compact.fingerprint, other.fingerprint):
        assert fingerprint[:8] in str(caught.value)
    assert album.index.info.state == "ready"


@pytest.mark.parametrize("make", ["missing", "file", "empty", "no images"])
def test_unusable_folders_make_no_index(unmade_album: Album, make: str) -> None:
    if make == "missing":
        unmade_album.folder.rmdir()
    elif make == "file":
        unmade_album.folder.rmdir()
        unmade_album.folder.write_text("")
    elif make == "no images":
        (unmade_album.folder / "notes.txt").write_text("")
    with pytest.raises(UsageError, match=str(unmade_album.folder)):
        unmade_album.ingest()
    with pytest.raises(UnknownIndexError):
        unmade_album.store.open(unmade_album.name)


ODD_NAMES = [
    b"with space.png",
    b'o\'brien "quoted".png',
    b"x') OR ('a'='a.png",
    b"back\\slash.png",
    b"new\nline.png",
    b"tab\t.png",
    b"100%_.png",
    b"$(touch x);`.png",
    "emoji 😀.png".encode(),
    "写真/日本語.png".encode(),
    "кириллица.png".encode(),
    b"undecodable \xe9\xff.png",
    b"#?&=.png",
    b"UPPER.PNG",
]


def test_every_name_that_a_file_can_have_is_indexed(empty_album: Album) -> None:
    made = []
    for number, name in enumerate(ODD_NAMES):
        path = empty_album.folder / os.fsdecode(name)
        try:
            save(solid("red", (20 + number, 20)), path, format="PNG")
        except OSError:  # not on this file system
            continue
        made.append(os.fsdecode(name))
    assert counts(empty_album.ingest()) == (len(made), 0, 0, 0, 0)
    assert sorted(empty_album.records) == sorted(made)
    assert counts(empty_album.ingest()) == (0, 0, len(made), 0, 0)
    (empty_album.folder / made[2]).unlink()
    assert counts(empty_album.ingest(prune=True)) == (0, 0, len(made) - 1, 1, 0)


def test_a_path_too_long_to_store_is_a_failed_image(album: Album) -> None:
    # The store writes a line break as ten bytes.
    folder = album.folder.joinpath(*["\n" * 250] * 8)
    try:
        save(solid("red"), folder / "deep.png")
    except OSError:
        pytest.skip("no such paths on this file system")
    report = album.ingest()
    assert counts(report) == (18, 0, 0, 0, 1)
    assert "longer than 16384 bytes" in report.failed[0].reason


def test_an_ingest_below_roots_reads_nothing_outside(album: Album, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    save(solid("red"), outside / "secret.png")
    (outside / "secret.csv").write_text("file,word\nred.png,secret\n")
    (album.folder / "link.png").symlink_to(outside / "secret.png")
    roots = [album.folder.resolve()]
    report = album.ingest(roots=roots)
    assert [(each.path, "leads out" in each.reason) for each in report.failed] == [
        ("link.png", True)
    ]
    assert "link.png" not in album.records
    (album.folder / "metadata.csv").unlink(missing_ok=True)
    (album.folder / "metadata.csv").symlink_to(outside / "secret.csv")
    with pytest.raises(UsageError, match=r"metadata\.csv is a link that leads out"):
        album.ingest(roots=roots)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_file_that_changes_while_it_is_read_is_held_as_it_was_read(
    album: Album, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    changing = album.folder / "red.png"
    colours = iter(["brown", "pink", "gray"][:times])

    def read(path: Path, roots: Sequence[Path]) -> bytes:
        data = read_bytes(path, roots)
        colour = next(colours, None) if path == changing else None
        if colour:
            save(solid(colour, (50 + len(colour), 40)), changing)
        return data

    monkeypatch.setattr(folder, "read_bytes", read)
    report = album.ingest()
    if times < folder.READ_TRIES:
        assert counts(report) == (18, 0, 0, 0, 0)
        record, now = album.records["red.png"], changing.stat()
        assert (record.size, record.modified) == (now.st_size, now.st_mtime_ns)
        assert record.content_hash == content_hash(changing.read_bytes())
        assert counts(album.ingest()) == (0, 0, 18, 0, 0)
    else:
        assert "changes while it is read" in report.failed[0].reason
        assert counts(album.ingest()) == (1, 0, 17, 0, 0)


@pytest.mark.parametrize("moment", [-(10**18), 0, 10**10, 4 * 10**18])
def test_a_clock_that_jumps_changes_nothing(album: Album, moment: int) -> None:
    for path in album.folder.rglob("*.png"):
        os.utime(path, ns=(moment, moment))
    assert counts(album.ingest()) == (18, 0, 0, 0, 0)
    save(striped("red", (60, 90)), album.folder / "red.png")
    os.utime(album.folder / "red.png", ns=(moment - 10**9, moment - 10**9))
    assert counts(album.ingest()) == (0, 1, 17, 0, 0)
    assert counts(album.ingest()) == (0, 0, 18, 0, 0)


def test_a_folder_that_may_only_be_read_is_indexed(album: Album) -> None:
    places = [album.folder, *(each for each in album.folder.rglob("*") if each.is_dir())]
    for place in places:
        place.chmod(0o555)
    try:
        with permissions_hold():
            assert counts(album.ingest()) == (18, 0, 0, 0, 0)
    finally:
        for place in places:
            place.chmod(0o755)

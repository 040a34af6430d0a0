"""A full disk says so, keeps what it acknowledged and leaves no stray file."""

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cir.encoders.compact.encoder import CompactEncoder
from cir.errors import StoreError
from cir.indexing import folder as indexing
from cir.progress import Progress
from cir.store import MilvusIndex, MilvusStore
from tests.cir.album import Album, CountingEncoder, require_same_content
from tests.cir.store.samples import DIM, row
from tests.drawn import draw_album
from tests.small_disk import files_below, fill, small_disk


@pytest.fixture
def disk() -> Iterator[Path]:
    with small_disk(16) as folder:
        yield folder


def make_index(store: MilvusStore) -> MilvusIndex:
    return store.create("one", encoder="e", fingerprint="f", dim=DIM)


def test_rows_that_a_lite_file_cannot_keep_are_not_acknowledged(disk: Path, tmp_path: Path) -> None:
    store = MilvusStore(str(disk / "test.db"), data_dir=tmp_path, idle_seconds=60)
    index = make_index(store)
    index.upsert([row("before")])
    filler = fill(disk)
    many = [row(str(number)) for number in range(3000)]
    for _ in range(2):
        with pytest.raises(StoreError, match=rf"The disk that holds {disk}/test\.db is full"):
            index.upsert(many)
    assert [each.path for each in index.iterate()] == ["before"], "no more than is on disk"
    with pytest.raises(StoreError, match="is full"):
        index.update(count=1)
    filler.unlink()
    index = store.open("one")
    index.upsert(many)
    index.update(count=3001)
    store.close()
    assert (store.open("one").count(), store.open("one").info.count) == (3001, 3001)
    store.close()


def test_a_lite_file_that_cannot_be_begun_is_not_called_damaged(disk: Path) -> None:
    filler = fill(disk)
    store = MilvusStore(str(disk / "test.db"), data_dir=disk)
    with pytest.raises(StoreError, match="is full") as caught:
        make_index(store)
    assert "damaged" not in str(caught.value)
    filler.unlink()
    make_index(store)
    store.close()


def test_a_temporary_folder_without_room_is_named_and_the_file_stays_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MilvusStore(str(tmp_path / "test.db"), data_dir=tmp_path)
    with small_disk(1, files=1) as full, monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(full))
        for _ in range(2):
            with pytest.raises(StoreError, match=rf"{full}.*No space left.*TMPDIR"):
                make_index(store)
    make_index(store)
    store.close()


@pytest.mark.parametrize("leave", [60_000, 200_000])
def test_thumbnails_that_have_no_room_leave_no_stray_file(
    disk: Path, tmp_path: Path, compact: CompactEncoder, leave: int
) -> None:
    store = MilvusStore(str(tmp_path / "test.db"), data_dir=disk)
    album = Album(store, CountingEncoder(compact), draw_album(tmp_path / "album"), "album")
    filler = fill(disk, leave)
    if leave > 100_000:
        assert album.ingest().added == 18
        return
    with pytest.raises(StoreError, match=r"thumbnail .*No space left"):
        album.ingest()
    stray = {name for name in files_below(disk) if not name.endswith(".jpg")}
    assert stray == {"filler"}
    filler.unlink()
    assert album.ingest().added == 18
    assert len(album.index.thumbnails([each.id for each in album.index.iterate()])) == 18
    store.close()


def test_an_ingest_that_a_full_disk_stopped_goes_on_where_it_said(
    disk: Path,
    tmp_path: Path,
    compact: CompactEncoder,
    local_store: MilvusStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(indexing, "WRITE_SECONDS", 0.0)
    store = MilvusStore(str(disk / "test.db"), data_dir=tmp_path / "data", idle_seconds=60)
    album = Album(store, CountingEncoder(compact), draw_album(tmp_path / "album"), "album")
    album.encoder.batch = 2
    told: list[Progress] = []
    fillers: list[Path] = []

    def listen(progress: Progress) -> None:
        told.append(progress)
        if progress.done >= 6 and not fillers:
            fillers.append(fill(disk))

    with pytest.raises(StoreError, match="is full"):
        album.ingest(on_progress=listen)
    fillers[0].unlink()
    assert album.ingest().unchanged == told[-1].done == 6
    undisturbed = Album(local_store, CountingEncoder(compact), album.folder, uuid.uuid4().hex)
    undisturbed.ingest()
    require_same_content(album.index, undisturbed.index)
    store.close()

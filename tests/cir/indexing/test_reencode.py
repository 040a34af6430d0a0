"""An index moves to another encoder: whole, at once, whatever happens meanwhile."""

import dataclasses
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL.Image import Image

from cir.encoders.protocol import Embeddings
from cir.errors import ReadOnlyError, StoreError, UnknownIndexError, UsageError
from cir.indexing import reencode as module
from cir.indexing.folder import FailedImage, ingest
from cir.indexing.reencode import ReencodeReport, reencode
from cir.search import Query, SearchOptions, search
from cir.settings import Settings
from cir.store import IndexInfo, MilvusIndex, MilvusStore, registry
from cir.store.fulltext import AVAILABLE
from tests.cir.store.samples import DIM, row
from tests.drawn import draw_album, save, solid, striped
from tests.milvus_server import MilvusServer
from tests.own_encoder import MeanColour

TABLE = "file,colour,year\nred,a red one,1\nblue,a blue one,2\ngreen,a green one,3\n"


class Other(MeanColour):
    """The same name, other weights: channels in another order; and what it has encoded."""

    fingerprint = "mean-colour-2"
    batch = 2

    def __init__(self) -> None:
        self.encoded = 0

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        self.encoded += len(images)
        return super().encode_images(images)[:, [1, 2, 0, 3]]


class Wide(Other):
    """Another name, longer embeddings."""

    spec = dataclasses.replace(MeanColour.spec, name="wide", dim=8)

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        return np.pad(super().encode_images(images), ((0, 0), (0, 4)))

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        return np.pad(super().encode_texts(texts), ((0, 0), (0, 4)))

    def encode_composed(self, images: Sequence[Image], texts: Sequence[str]) -> Embeddings:
        return self.encode_images(images)


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UPSERT_ROWS", 4)
    monkeypatch.setattr(registry, "_LITE_GRACE_SECONDS", 0.2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = draw_album(tmp_path / "album")
    (folder / "metadata.csv").write_text(TABLE)
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(milvus_uri=None, milvus_token=None, data_dir=tmp_path, encoder="compact")


@contextmanager
def made(store: MilvusStore, folder: Path) -> Iterator[MilvusIndex]:
    name = uuid.uuid4().hex
    ingest(store, folder, name, MeanColour())
    index = store.open(name)
    index.choose_title("colour")
    try:
        yield index
    finally:
        if any(info.name == name for info in store.list(strong=True)):
            store.drop(name)


@pytest.fixture
def index(local_store: MilvusStore, folder: Path) -> Iterator[MilvusIndex]:
    """Eighteen pictures in a Lite file, some with metadata."""
    with made(local_store, folder) as index:
        yield index


def move(
    index: MilvusIndex,
    encoder: MeanColour,
    settings: Settings,
    on_failure: Callable[[FailedImage], None] | None = None,
) -> ReencodeReport:
    return reencode(index, encoder, settings, local=True, on_failure=on_failure)


def require_moved(index: MilvusIndex, before: MilvusIndex, encoder: MeanColour) -> None:
    """Fail unless the index is the one before, with the embeddings of the encoder."""
    info, then = index.info, before.info
    assert (info.encoder, info.fingerprint, info.dim) == (
        encoder.spec.name,
        encoder.fingerprint,
        encoder.spec.dim,
    )
    kept = ("name", "kind", "source", "columns", "state", "count", "index_type", "title_column")
    assert {each: getattr(info, each) for each in kept} == {
        each: getattr(then, each) for each in kept
    }
    assert (info.created, info.words, info.continues) == (then.created, then.words, False)


def collections(store: MilvusStore) -> set[str]:
    with store._connection.session() as client:
        return set(client.list_collections())


@pytest.mark.parametrize(
    ("backend", "encoder"), [("lite", Other), ("lite", Wide), ("server", Wide)]
)
def test_an_index_moves_with_all_that_is_in_it(
    backend: str,
    encoder: type[Other],
    request: pytest.FixtureRequest,
    folder: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if backend == "lite":
        store: MilvusStore = request.getfixturevalue("local_store")
    else:
        running: MilvusServer = request.getfixturevalue("server")
        store = MilvusStore(running.uri, running.token, data_dir=folder.parent / "data")
        monkeypatch.setattr(registry, "_GRACE_SECONDS", 0.2)
    with made(store, folder) as before:
        require_moves(store, before, encoder(), settings)


def require_moves(
    store: MilvusStore, before: MilvusIndex, encoder: Other, settings: Settings
) -> None:
    """Fail unless the index moves to the encoder, with all that is in it."""
    records = list(before.iterate())
    jpegs = before.thumbnails([each.id for each in records])
    held, words_before = collections(store), before.words_state

    index = store.open(before.info.name)
    report = move(index, encoder, settings)
    assert (report.images, report.encoded, report.from_thumbnails, report.failed) == (
        18,
        18,
        [],
        [],
    )
    for same in (index, store.open(before.info.name, strong=True)):
        require_moved(same, before, encoder)
        assert list(same.iterate()) == records
        assert same.thumbnails([each.id for each in records]) == jpegs
        hits = search(same, encoder, Query(solid("red")), SearchOptions(limit=2))
        assert hits[0].path == "red.png"
        assert same.words_state == words_before
        if words_before == AVAILABLE:
            words = SearchOptions(limit=1, words=True)
            assert search(same, encoder, Query(instruction="blue"), words)[0].path == "blue.png"
    assert collections(store) == held - {before.info.collection} | {index.info.collection}
    assert index.info.usual is not None


def test_it_answers_until_it_has_moved(
    index: MilvusIndex, local_store: MilvusStore, settings: Settings
) -> None:
    name, local = index.info.name, MeanColour()
    before = index.search_vectors(local.encode_texts(["red"]), 18)
    seen: list[bool] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            now = local_store.open(name)
            encoder = Other() if now.info.fingerprint == Other.fingerprint else local
            seen.append(encoder is local)
            found = now.search_vectors(encoder.encode_texts(["red"]), 18)
            assert len(found[0]) == 18
            if encoder is local:
                assert found == before

    failed: list[BaseException] = []

    def run() -> None:
        try:
            ask()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        move(index, Other(), settings)
    finally:
        stop.set()
        thread.join()
    assert failed == [] and seen[0] and not seen[-1]


def test_a_call_that_was_cut_short_goes_on(
    index: MilvusIndex, local_store: MilvusStore, settings: Settings
) -> None:
    class Stopped(Exception):
        pass

    def stop(progress: object) -> None:
        if encoder.encoded >= 8:
            raise Stopped

    encoder = Other()
    with pytest.raises(Stopped):
        reencode(index, encoder, settings, local=True, on_progress=stop)
    assert local_store.open(index.info.name).info == index.info
    again = Other()
    report = move(local_store.open(index.info.name), again, settings)
    assert (report.images, report.encoded, again.encoded) == (18, 10, 10)


def test_another_encoder_begins_anew(
    index: MilvusIndex, local_store: MilvusStore, settings: Settings
) -> None:
    def stop(progress: object) -> None:
        raise KeyboardInterrupt

    held = collections(local_store)
    with pytest.raises(KeyboardInterrupt):
        reencode(index, Other(), settings, local=True, on_progress=stop)
    assert move(index, Wide(), settings).encoded == 18
    assert len(collections(local_store)) == len(held)


def test_what_was_half_moved_goes_with_its_index(
    index: MilvusIndex, local_store: MilvusStore, settings: Settings
) -> None:
    def stop(progress: object) -> None:
        raise KeyboardInterrupt

    store, held = local_store, collections(local_store)
    with pytest.raises(KeyboardInterrupt):
        reencode(index, Other(), settings, local=True, on_progress=stop)
    assert len(collections(store)) == len(held) + 1
    store.drop(index.info.name)
    assert collections(store) == held - {index.info.collection}


def test_a_kill_while_a_stopped_move_is_discarded_leaves_the_index(
    index: MilvusIndex,
    local_store: MilvusStore,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(progress: object) -> None:
        raise KeyboardInterrupt

    store, name, write = local_store, index.info.name, registry.Registry._write
    with pytest.raises(KeyboardInterrupt):
        reencode(index, Other(), settings, local=True, on_progress=stop)

    def killed(self: registry.Registry, info: IndexInfo, phase: str) -> None:
        write(self, info, phase)
        if phase == "dropping":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(registry.Registry, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            move(index, Wide(), settings)
    assert store.open(name, strong=True).count() == 18
    other = uuid.uuid4().hex
    store.create(other, encoder="other", fingerprint="f", dim=DIM)
    store.drop(other)
    assert store.open(name, strong=True).count() == 18
    assert move(store.open(name), Wide(), settings).images == 18


def test_an_index_whose_import_was_cut_short_does_not_move(
    index: MilvusIndex, settings: Settings
) -> None:
    index.update(state="building", import_of="an export")
    with pytest.raises(UsageError, match="Import the same file again first"):
        move(index, Other(), settings)
    index.update(state="ready", import_of="")
    assert move(index, Other(), settings).images == 18


def test_an_ingest_that_goes_on_with_one_that_was_cut_short_is_seen(
    index: MilvusIndex,
    local_store: MilvusStore,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index.update(state="building")
    later = (datetime.now(UTC) + timedelta(seconds=60)).isoformat(timespec="seconds")
    monkeypatch.setattr(registry, "_now", lambda: later)  # times are told by the second

    class Meanwhile(Other):
        def encode_images(self, images: Sequence[Image]) -> Embeddings:
            local_store.open(index.info.name, strong=True).update(state="building")
            return super().encode_images(images)

    with pytest.raises(StoreError, match="was changed while"):
        move(index, Meanwhile(), settings)
    assert index.info.fingerprint == MeanColour.fingerprint
    assert move(index, Other(), settings).encoded == 0


def test_an_image_that_can_be_read_later_is_no_longer_failed(
    index: MilvusIndex, folder: Path, settings: Settings, local_store: MilvusStore
) -> None:
    (folder / "red.png").unlink()
    red = next(each for each in index.iterate() if each.path == "red.png")
    (thumbnail,) = local_store._folder.rglob(f"{red.content_hash}.jpg")  # type: ignore[union-attr]
    thumbnail.unlink()

    def mend(failed: FailedImage) -> None:
        save(solid("red", (50, 60)), folder / failed.path)
        ingest(local_store, folder, index.info.name, MeanColour())

    report = move(index, Other(), settings, mend)
    assert (report.images, report.failed, index.count()) == (18, [], 18)


def test_changes_between_two_calls_are_not_lost(
    index: MilvusIndex, local_store: MilvusStore, settings: Settings, folder: Path
) -> None:
    encoder = Other()

    def stop(progress: object) -> None:
        if encoder.encoded >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reencode(index, encoder, settings, local=True, on_progress=stop)
    change(local_store, index.info.name, folder)
    move(index, Other(), settings)
    require_changed(index)


def test_changes_meanwhile_are_not_lost(
    index: MilvusIndex, local_store: MilvusStore, settings: Settings, folder: Path
) -> None:
    class Changing(Other):
        def encode_images(self, images: Sequence[Image]) -> Embeddings:
            if self.encoded == 16:
                change(local_store, index.info.name, folder)
            return super().encode_images(images)

    move(index, Changing(), settings)
    require_changed(index)


def change(store: MilvusStore, name: str, folder: Path) -> None:
    """An image is added, one is removed, one is another, one has other metadata, one is used."""
    save(striped("black"), folder / "new.png")
    (folder / "green.png").unlink()
    save(solid("black"), folder / "red.png")
    (folder / "metadata.csv").write_text(TABLE.replace("a blue one", "blue indeed"))
    ingest(store, folder, name, MeanColour(), prune=True)
    store.open(name).choose_title("file")


def require_changed(index: MilvusIndex) -> None:
    records = {each.path: each for each in index.iterate()}
    assert len(records) == 18 == index.info.count and "green.png" not in records
    assert records["blue.png"].metadata["colour"] == "blue indeed"
    assert index.info.title_column == "file"
    for name, picture in (("new.png", striped("black")), ("red.png", solid("black"))):
        (hit,) = index.search_vectors(
            Other().encode_images([picture]), 1, only_ids=[{records[name].id}]
        )[0]
        assert hit.score == pytest.approx(1, abs=1e-5)


def test_an_ingest_that_runs_at_the_end_is_refused(
    index: MilvusIndex, local_store: MilvusStore, settings: Settings
) -> None:
    class Ingesting(Other):
        def encode_images(self, images: Sequence[Image]) -> Embeddings:
            local_store.open(index.info.name).update(state="building")
            return super().encode_images(images)

    with pytest.raises(StoreError, match="was changed while it was copied"):
        move(index, Ingesting(), settings)
    current = local_store.open(index.info.name)
    assert current.info.fingerprint == MeanColour.fingerprint and current.count() == 18
    current.update(state="ready")
    assert move(current, Other(), settings).encoded == 0


def test_an_index_that_is_dropped_meanwhile_stays_dropped(
    index: MilvusIndex, local_store: MilvusStore, settings: Settings
) -> None:
    class Dropping(Other):
        def encode_images(self, images: Sequence[Image]) -> Embeddings:
            if self.encoded == 16:
                local_store.drop(index.info.name)
            return super().encode_images(images)

    with pytest.raises((StoreError, UnknownIndexError)):
        move(index, Dropping(), settings)
    assert index.info.name not in [info.name for info in local_store.list()]
    assert index.info.name not in [e.info.name for e in local_store._registry._entries()]


def test_two_at_once_in_a_process_are_refused(
    index: MilvusIndex, local_store: MilvusStore, settings: Settings
) -> None:
    class Twice(Other):
        def encode_images(self, images: Sequence[Image]) -> Embeddings:
            with pytest.raises(UsageError, match="is being made anew already"):
                move(local_store.open(index.info.name), Other(), settings)
            return super().encode_images(images)

    assert move(index, Twice(), settings).images == 18


def test_of_two_processes_the_later_goes_on(
    index: MilvusIndex,
    local_store: MilvusStore,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Later(Other):
        def encode_images(self, images: Sequence[Image]) -> Embeddings:
            if self.encoded == 16:
                with monkeypatch.context() as patch:  # as another process, which knows of none
                    patch.setattr(registry, "_making", set())
                    patch.setattr(registry, "_now", lambda: "2030-01-01T00:00:00+00:00")
                    move(local_store.open(index.info.name), Other(), settings)
            return super().encode_images(images)

    with pytest.raises((StoreError, UnknownIndexError)):
        move(index, Later(), settings)
    current = local_store.open(index.info.name)
    assert (current.info.fingerprint, current.count()) == (Other.fingerprint, 18)


def test_without_files_thumbnails_are_encoded_and_told_of(
    index: MilvusIndex, settings: Settings, folder: Path
) -> None:
    (folder / "red.png").unlink()
    save(solid("pink"), folder / "blue.png")
    report = move(index, Other(), settings)
    assert sorted(report.from_thumbnails) == ["blue.png", "red.png"] and report.images == 18
    hits = search(index, Other(), Query(solid("blue")), SearchOptions(limit=1))
    assert hits[0].path == "blue.png"  # as it was indexed: an update reads the new one
    index.update(source=None)
    assert len(move(index, Wide(), settings).from_thumbnails) == 18


def test_images_without_file_and_thumbnail_fail(
    index: MilvusIndex, settings: Settings, folder: Path, local_store: MilvusStore
) -> None:
    (folder / "red.png").unlink()
    red = next(each for each in index.iterate() if each.path == "red.png")
    (thumbnail,) = local_store._folder.rglob(f"{red.content_hash}.jpg")  # type: ignore[union-attr]
    thumbnail.unlink()
    told: list[FailedImage] = []
    report = move(index, Other(), settings, told.append)
    assert (
        told
        == report.failed
        == [FailedImage("red.png", "neither the file nor a thumbnail is there any more")]
    )
    assert (report.images, index.info.count, index.count()) == (17, 17, 17)


def test_an_index_of_which_nothing_can_be_read_stays(
    local_store: MilvusStore, settings: Settings
) -> None:
    index = local_store.create("rows", encoder="e", fingerprint="f", dim=DIM)
    try:
        index.upsert([row("a"), row("b")])
        with pytest.raises(UsageError, match="None of the images"):
            move(index, Other(), settings)
        assert local_store.open("rows").info.encoder == "e" and index.count() == 2
    finally:
        local_store.drop("rows")


def test_a_read_only_store_encodes_nothing_anew(
    index: MilvusIndex, local_store: MilvusStore, settings: Settings
) -> None:
    connection = local_store._connection
    locked = MilvusIndex(index.info, connection, index._thumbnails, read_only=True)
    with pytest.raises(ReadOnlyError):
        move(locked, Other(), settings)

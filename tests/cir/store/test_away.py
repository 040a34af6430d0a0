"""A server that goes away in the middle: waited for within bounds, then gone on with."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL.Image import Image

from cir.encoders.compact.encoder import CompactEncoder
from cir.encoders.protocol import Embeddings
from cir.errors import StoreAwayError, StoreError
from cir.indexing import folder as indexing
from cir.progress import Progress
from cir.store import MilvusIndex, MilvusStore, connection, patient
from tests.cir.album import Album, CountingEncoder, require_same_content
from tests.cir.store.samples import DIM, row
from tests.drawn import draw_album
from tests.milvus_server import MilvusServer, milvus_server
from tests.tcp_proxy import TcpProxy, tcp_proxy

QUERY = np.ones((1, DIM), dtype=np.float32)


@pytest.fixture
def proxy(server: MilvusServer) -> Iterator[TcpProxy]:
    """What stands between the store and its server."""
    with tcp_proxy(("127.0.0.1", int(server.uri.rsplit(":", 1)[1]))) as proxy:
        yield proxy


@pytest.fixture
def store(proxy: TcpProxy, server: MilvusServer, tmp_path: Path) -> Iterator[MilvusStore]:
    store = MilvusStore(proxy.uri, server.token, data_dir=tmp_path)
    yield store
    store.close()


@pytest.fixture
def index(store: MilvusStore, proxy: TcpProxy) -> Iterator[MilvusIndex]:
    name = uuid.uuid4().hex
    index = store.create(name, encoder="test", fingerprint="0", dim=DIM)
    index.upsert([row("a")])
    assert len(index.search_vectors(QUERY, 5)[0]) == 1
    yield index
    store.drop(name)


def later(seconds: float, work: Callable[[], None]) -> None:
    threading.Timer(seconds, work).start()


@pytest.mark.parametrize("seconds", [0.0, 0.3, 2.0])
def test_a_search_goes_on_when_the_server_is_back(
    index: MilvusIndex, proxy: TcpProxy, seconds: float
) -> None:
    proxy.cut()
    later(seconds, proxy.restore)
    begun = time.monotonic()
    assert len(index.search_vectors(QUERY, 5)[0]) == 1
    assert time.monotonic() - begun < seconds + 3


def test_a_search_waits_some_seconds_and_no_longer(
    index: MilvusIndex, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PATIENCE_SECONDS", 1.0)
    proxy.cut()
    try:
        begun = time.monotonic()
        with pytest.raises(StoreAwayError, match="cannot be reached"):
            index.search_vectors(QUERY, 5)
        assert 1 <= time.monotonic() - begun < 2
    finally:
        proxy.restore()
    assert len(index.search_vectors(QUERY, 5)[0]) == 1


def test_a_store_says_at_once_whether_its_server_answers(
    index: MilvusIndex, store: MilvusStore, proxy: TcpProxy
) -> None:
    assert store.answers()
    proxy.cut()
    begun = time.monotonic()
    assert not store.answers()
    assert time.monotonic() - begun < 1
    proxy.restore()
    assert store.answers()


def test_what_a_server_refuses_is_not_asked_again(
    store: MilvusStore, server: MilvusServer, proxy: TcpProxy, tmp_path: Path
) -> None:
    def refused(work: Callable[[], object], match: str) -> None:
        waits: list[str] = []
        with patient(60, waits.append), pytest.raises(StoreError, match=match) as caught:
            work()
        assert waits == [] and not isinstance(caught.value, StoreAwayError)

    info = store.create(uuid.uuid4().hex, encoder="test", fingerprint="0", dim=DIM).info
    gone = store.open(info.name)
    store.drop(info.name)
    refused(gone.count, "are gone")
    stranger = MilvusStore(proxy.uri, "root:wrong", data_dir=tmp_path)
    refused(stranger.list, "refused the token")


class Cutting(CountingEncoder):
    """Two images a batch; calls something once, before a batch of a number, from 1."""

    def __init__(self, encoder: CompactEncoder, at: int, call: Callable[[], None]) -> None:
        super().__init__(encoder)
        self.batch = 2
        self._at, self._call = at, call

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        if self.encoded // self.batch + 1 == self._at:
            self._at = 0
            self._call()
        return super().encode_images(images)


@pytest.fixture
def album(
    store: MilvusStore, proxy: TcpProxy, compact: CompactEncoder, tmp_path: Path
) -> Iterator[Album]:
    """An album whose server is cut off before the fourth of nine batches."""
    name = uuid.uuid4().hex
    encoder = Cutting(compact, 4, proxy.cut)
    yield Album(store, encoder, draw_album(tmp_path / "album"), name)
    store.drop(name)


@pytest.fixture(autouse=True)
def _every_batch_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "WRITE_SECONDS", 0.0)


def test_an_ingest_says_that_it_waits_and_goes_on_by_itself(
    album: Album, proxy: TcpProxy, compact: CompactEncoder, local_store: MilvusStore
) -> None:
    told: list[Progress] = []

    def listen(progress: Progress) -> None:
        if progress.waiting and not any(each.waiting for each in told):
            later(1.5, proxy.restore)
        told.append(progress)

    report = album.ingest(on_progress=listen)
    assert (report.added, album.encoder.encoded) == (18, 18)
    waited = [each for each in told if each.waiting]
    assert {each.done for each in waited} == {6} and len(waited) > 2
    assert str(waited[0]) == f"Indexing: 6 of 18 · waiting for {album.store.place} to answer"
    assert (told[-1].waiting, told[-1].done) == ("", 18)

    undisturbed = Album(local_store, CountingEncoder(compact), album.folder, album.name)
    undisturbed.ingest()
    require_same_content(album.index, undisturbed.index)


def test_an_ingest_gives_up_in_the_end_and_can_be_repeated(
    album: Album, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "JOB_PATIENCE_SECONDS", 1.0)
    told: list[Progress] = []
    begun = time.monotonic()
    with pytest.raises(StoreAwayError, match="cannot be reached"):
        album.ingest(on_progress=told.append)
    assert time.monotonic() - begun < 15
    proxy.restore()
    assert told[-1].done == 6
    assert album.ingest().unchanged == 6


def test_a_cancel_does_not_wait_for_the_server(album: Album, proxy: TcpProxy) -> None:
    class Stop(Exception):
        pass

    stopped = 0.0

    def stop(progress: Progress) -> None:
        nonlocal stopped
        if progress.waiting:
            stopped = time.monotonic()
            raise Stop

    with pytest.raises(Stop):
        album.ingest(on_progress=stop)
    assert time.monotonic() - stopped < 2
    proxy.restore()
    assert album.ingest().unchanged == 6


@pytest.mark.slow
def test_an_ingest_outlives_a_server_that_is_killed_and_started_again(
    compact: CompactEncoder, local_store: MilvusStore, tmp_path: Path
) -> None:
    with milvus_server(authorize=True) as server:

        def restart() -> None:
            server.kill()
            later(3, server.start)

        store = MilvusStore(server.uri, server.token, data_dir=tmp_path)
        encoder = Cutting(compact, 4, restart)
        album = Album(store, encoder, draw_album(tmp_path / "album"), "restarted")
        told: list[Progress] = []
        assert album.ingest(on_progress=told.append).added == 18
        assert any(each.waiting for each in told)
        undisturbed = Album(local_store, CountingEncoder(compact), album.folder, album.name)
        undisturbed.ingest()
        require_same_content(album.index, undisturbed.index)
        store.close()

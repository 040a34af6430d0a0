"""Albums, stores, a server and command lines."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cir.encoders.compact.encoder import CompactEncoder
from cir.errors import UnknownIndexError
from cir.store import MilvusStore
from tests.cir.album import Album, CountingEncoder
from tests.cir.command_line import CommandLine
from tests.drawn import draw_album
from tests.milvus_server import MilvusServer, milvus_server


@pytest.fixture(scope="session")
def local_store(tmp_path_factory: pytest.TempPathFactory) -> MilvusStore:
    """One Milvus Lite file for all tests of this process."""
    folder: Path = tmp_path_factory.mktemp("local")
    return MilvusStore(str(folder / "recompose.db"), data_dir=folder)


@pytest.fixture(scope="session")
def server() -> Iterator[MilvusServer]:
    """A running Milvus server that wants a token."""
    with milvus_server(authorize=True) as running:
        yield running


@pytest.fixture
def unmade_album(local_store: MilvusStore, compact: CompactEncoder, tmp_path: Path) -> Album:
    """An empty folder whose index does not exist."""
    folder = tmp_path / "album"
    folder.mkdir()
    return Album(local_store, CountingEncoder(compact), folder, uuid.uuid4().hex)


@pytest.fixture
def empty_album(unmade_album: Album) -> Album:
    """An empty folder; its index is empty or not made: one for all tests, as making one is slow."""
    unmade_album.name = "album"
    try:
        index = unmade_album.index
    except UnknownIndexError:
        return unmade_album
    index.delete([record.id for record in index.iterate()])
    index.update(state="building", count=0, columns={}, source=None)
    return unmade_album


@pytest.fixture
def album(empty_album: Album) -> Album:
    """Eighteen pictures in three folders, not yet indexed."""
    draw_album(empty_album.folder)
    return empty_album


@pytest.fixture
def command_line(tmp_path: Path) -> CommandLine:
    """Commands with an empty data folder."""
    return CommandLine(tmp_path / "data")

"""The two backends that every contract test runs against: a Lite file and a real server."""

from pathlib import Path

import pytest

from cir.store import MilvusIndex, MilvusStore
from tests.cir.store.samples import COLUMNS, DIM
from tests.milvus_server import MilvusServer


@pytest.fixture(scope="session", params=["lite", "server"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MilvusStore:
    """A store on each backend."""
    folder: Path = tmp_path_factory.mktemp("store")
    if request.param == "lite":
        return MilvusStore(str(folder / "test.db"), data_dir=folder)
    running: MilvusServer = request.getfixturevalue("server")
    return MilvusStore(running.uri, running.token, data_dir=folder)


@pytest.fixture(scope="session")
def shared_index(store: MilvusStore) -> MilvusIndex:
    """One index a backend, because making one takes a server seconds."""
    return store.create(
        "shared",
        encoder="test",
        fingerprint="0",
        precision="exact",
        dim=DIM,
        columns=COLUMNS,
    )


@pytest.fixture
def index(shared_index: MilvusIndex) -> MilvusIndex:
    """An empty index with the sample columns."""
    shared_index.delete([record.id for record in shared_index.iterate()])
    return shared_index

"""Which collections are indexes, whatever else there is and whoever died half way."""

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cir.errors import StoreError, UnknownIndexError, UsageError
from cir.store import Index, IndexInfo, Store
from cir.store.registry import Registry
from tests.cir.store.samples import DIM, row, unit

FACTS: dict[str, Any] = {"encoder": "e", "fingerprint": "f", "precision": "exact", "dim": DIM}
GONE = "cir_0123456789ab"


@pytest.fixture
def registry(store: Store) -> Registry:
    """The registry behind the store."""
    return store._registry


def left_behind(registry: Registry, template: IndexInfo, phase: str, age: timedelta) -> None:
    """A row as a process leaves it that dies in the middle."""
    created = (datetime.now(UTC) - age).isoformat(timespec="seconds")
    info = dataclasses.replace(template, name="half", collection=GONE, created=created)
    registry._write(info, phase)


def test_an_index_lives_from_create_to_drop(shared_index: Index, store: Store) -> None:
    name = 'Sommer \'25 "😀" \\ \n'
    index = store.create(name, kind="gallery", exact=True, **FACTS)
    assert index.info.state == "building" and index.info.exact
    assert store.list("gallery") == [index.info]
    assert name not in [info.name for info in store.list()]
    with pytest.raises(UsageError, match="already"):
        store.create(name, kind="gallery", **FACTS)
    index.upsert([row("a", unit(0.5, 0.5))])
    assert index.search(unit(1.0)[None], 1)[0][0].score == pytest.approx(2**-0.5, abs=1e-6)
    store.drop(name, kind="gallery")
    assert store.list("gallery") == []
    with pytest.raises(UnknownIndexError, match="dropped meanwhile"):
        index.update(count=1)
    with pytest.raises(StoreError, match="are gone"):
        index.count()


def test_collections_of_others_are_not_ours(shared_index: Index, store: Store) -> None:
    with store._connection.session() as client:
        client.create_collection("cir_somebodyelse", dimension=4)
    store.list()
    store._registry._sweep(store._registry._entries())
    with store._connection.session() as client:
        assert "cir_somebodyelse" in client.list_collections()
        client.drop_collection("cir_somebodyelse")
    with pytest.raises(UnknownIndexError):
        store.drop("cir_somebodyelse")


@pytest.mark.parametrize("phase", ["creating", "dropping"])
def test_half_made_and_half_dropped_indexes_are_no_indexes(
    shared_index: Index, store: Store, registry: Registry, phase: str
) -> None:
    left_behind(registry, shared_index.info, phase, age=timedelta(minutes=11))
    assert [info.name for info in store.list()] == ["shared"]
    with pytest.raises(UnknownIndexError):
        store.open("half")
    registry._sweep(registry._entries())
    assert [entry.info.name for entry in registry._entries()] == ["shared"]


def test_a_name_that_another_process_is_using_is_taken(
    shared_index: Index, store: Store, registry: Registry
) -> None:
    left_behind(registry, shared_index.info, "creating", age=timedelta(seconds=5))
    try:
        with pytest.raises(UsageError, match="another process is making it"):
            store.create("half", **FACTS)
    finally:
        registry.remove(dataclasses.replace(shared_index.info, collection=GONE))


def test_a_failed_creation_leaves_nothing(
    shared_index: Index, store: Store, registry: Registry
) -> None:
    def fail(collection: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        registry.add(dataclasses.replace(shared_index.info, name="half"), fail)
    assert [entry.info.name for entry in registry._entries()] == ["shared"]


def test_an_index_whose_collection_is_gone_can_be_dropped(
    shared_index: Index, store: Store, registry: Registry
) -> None:
    left_behind(registry, shared_index.info, "live", age=timedelta(0))
    index = store.open("half")
    with pytest.raises(StoreError, match=r'"half" are gone: .* Drop the index and make it again'):
        index.search(unit(1.0)[None], 1)
    store.drop("half")
    assert [info.name for info in store.list()] == ["shared"]


def test_an_index_that_somebody_unloaded_is_loaded_again(shared_index: Index, store: Store) -> None:
    if store.is_lite:
        pytest.skip("a Lite file belongs to one process: nobody else unloads")
    shared_index.count()
    with store._connection.session() as client:
        client.release_collection(shared_index.info.collection)
    with pytest.raises(StoreError, match=r"unloaded the index\. Try again"):
        shared_index.count()
    assert shared_index.count() >= 0

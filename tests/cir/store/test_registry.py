"""Which collections are indexes, whatever else there is and whoever died half way."""

import dataclasses
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cir.errors import StoreError, UnknownIndexError, UsageError
from cir.store import IndexInfo, MilvusIndex, MilvusStore
from cir.store import registry as registry_module
from cir.store.collection import ImageCollection
from cir.store.registry import Registry
from cir.store.schema import create_images
from tests.cir.store.samples import DIM, row, unit

FACTS: dict[str, Any] = {"encoder": "e", "fingerprint": "f", "precision": "exact", "dim": DIM}
GONE = "cir_0123456789ab"


@pytest.fixture
def registry(store: MilvusStore) -> Registry:
    """The registry behind the store."""
    return store._registry


def left_behind(registry: Registry, template: IndexInfo, phase: str, age: timedelta) -> IndexInfo:
    """A row as a process leaves it that dies in the middle."""
    created = (datetime.now(UTC) - age).isoformat(timespec="seconds")
    info = dataclasses.replace(template, name="half", collection=GONE, created=created)
    registry._write(info, phase)
    return info


def test_an_index_lives_from_create_to_drop(shared_index: MilvusIndex, store: MilvusStore) -> None:
    name = 'Sommer \'25 "😀" \\ \n'
    index = store.create(name, kind="gallery", exact=True, **FACTS)
    assert index.info.state == "building" and index.info.exact
    assert store.list("gallery") == [index.info]
    assert name not in [info.name for info in store.list()]
    with pytest.raises(UsageError, match="already"):
        store.create(name, kind="gallery", **FACTS)
    index.upsert([row("a", unit(0.5, 0.5))])
    assert index.search_vectors(unit(1.0)[None], 1)[0][0].score == pytest.approx(2**-0.5, abs=1e-6)
    store.drop(name, kind="gallery")
    assert store.list("gallery") == []
    with pytest.raises(UnknownIndexError, match="dropped meanwhile"):
        index.update(count=1)
    with pytest.raises(StoreError, match="are gone"):
        index.count()


def test_collections_of_others_are_not_ours(shared_index: MilvusIndex, store: MilvusStore) -> None:
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
    shared_index: MilvusIndex, store: MilvusStore, registry: Registry, phase: str
) -> None:
    left_behind(registry, shared_index.info, phase, age=timedelta(minutes=11))
    assert [info.name for info in store.list()] == ["shared"]
    with pytest.raises(UnknownIndexError):
        store.open("half")
    registry._sweep(registry._entries())
    assert [entry.info.name for entry in registry._entries()] == ["shared"]


def test_a_name_whose_maker_died_is_free_again(
    shared_index: MilvusIndex,
    store: MilvusStore,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry_module, "_TWIN_SECONDS", 0.6)
    left_behind(registry, shared_index.info, "creating", age=timedelta(seconds=5))
    assert store.create("half", **FACTS).info.collection != GONE
    store.drop("half")
    assert [entry.info.name for entry in registry._entries()] == ["shared"]


def test_a_name_that_is_being_made_is_taken_once_it_is_made(
    shared_index: MilvusIndex,
    store: MilvusStore,
    registry: Registry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = left_behind(registry, shared_index.info, "creating", age=timedelta(seconds=5))
    monkeypatch.setattr(registry_module, "_making", {other.collection})
    maker = threading.Timer(1.0, registry._write, (other, "live"))
    maker.start()
    try:
        with pytest.raises(UsageError, match="already an index"):
            store.create("half", **FACTS)
    finally:
        maker.join()
        registry.remove(other)


def test_a_failed_creation_leaves_nothing(
    shared_index: MilvusIndex, store: MilvusStore, registry: Registry
) -> None:
    def fail(info: IndexInfo) -> IndexInfo:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        registry.add(dataclasses.replace(shared_index.info, name="half"), fail)
    assert [entry.info.name for entry in registry._entries()] == ["shared"]


def test_a_handing_over_that_is_done_though_it_fails_loses_nothing(
    store: MilvusStore, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = store.create("handed over", **FACTS)
    index.upsert([row("a"), row("b")])
    index.update(state="ready", count=2)
    write = Registry._write

    def done_but_failing(self: Registry, info: IndexInfo, phase: str) -> None:
        write(self, info, phase)
        if phase == "live" and info.replaces:
            raise KeyboardInterrupt

    def make(info: IndexInfo) -> Iterator[None]:
        create_images(registry._connection, info.collection, info.dim, info.index_type)
        copy = ImageCollection(registry._connection, info)
        for rows in index._images.iterate_whole(DIM):
            copy.upsert(rows)
            yield

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "_write", done_but_failing)
        with pytest.raises(KeyboardInterrupt):
            registry.replace(index.info, {}, make)
    try:
        assert store.open("handed over", strong=True).count() == 2
    finally:
        store.drop("handed over")


def test_an_index_whose_collection_is_gone_can_be_dropped(
    shared_index: MilvusIndex, store: MilvusStore, registry: Registry
) -> None:
    left_behind(registry, shared_index.info, "live", age=timedelta(0))
    index = store.open("half")
    with pytest.raises(StoreError, match=r'"half" are gone: .* Drop the index and make it again'):
        index.search_vectors(unit(1.0)[None], 1)
    store.drop("half")
    assert [info.name for info in store.list()] == ["shared"]


def test_an_index_that_somebody_unloaded_is_loaded_again(
    shared_index: MilvusIndex, store: MilvusStore
) -> None:
    if store.is_lite:
        return  # a Lite file belongs to one process: nobody else unloads
    shared_index.count()
    with store._connection.session() as client:
        client.release_collection(shared_index.info.collection)
    assert shared_index.count() >= 0

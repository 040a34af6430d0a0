"""The two kinds of Milvus collections: images of an index, and the registry."""

import threading
import time
from typing import Any

from cir.errors import StoreError
from cir.store.connection import CONNECT_SECONDS, WORK_SECONDS, Connection
from cir.store.records import IndexType
from cir.store.wire import MAX_PATH_BYTES

REGISTRY = "cir_indexes"
MAX_VARCHAR = 65_535
_BUILD_SECONDS = 3_600.0  # a server takes minutes for a million rows


def create_images(connection: Connection, collection: str, dim: int, index_type: IndexType) -> None:
    """Make an empty collection of images that is ready for searches."""
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, max_length=32, is_primary=True)
    schema.add_field("path", DataType.VARCHAR, max_length=MAX_PATH_BYTES)
    schema.add_field("content_hash", DataType.VARCHAR, max_length=32)
    for name in ("size", "modified", "width", "height"):
        schema.add_field(name, DataType.INT64)
    schema.add_field("meta", DataType.JSON)
    if not connection.is_lite:
        # Beside a Lite file thumbnails are files: inside, they would weigh on its memory.
        schema.add_field("thumbnail", DataType.VARCHAR, max_length=MAX_VARCHAR)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
    with connection.session() as client:
        client.create_collection(
            collection,
            schema=schema,
            index_params=_vector_index(index_type, "COSINE"),
            consistency_level="Strong",
            timeout=WORK_SECONDS,
        )
    connection.ready.add(collection)


def ensure_registry(connection: Connection) -> None:
    """Make the registry unless it exists; several processes may do so at once.

    Raises:
        StoreError: a collection of this name exists that is something else.
    """
    if REGISTRY in connection.ready:
        return
    with connection.session() as client:
        if not client.has_collection(REGISTRY, timeout=CONNECT_SECONDS):
            _create_registry(client)
        fields = client.describe_collection(REGISTRY, timeout=CONNECT_SECONDS)["fields"]
    if {field["name"] for field in fields} != {"id", "body", "vector"}:
        raise StoreError(
            f"{connection.place} holds a collection named {REGISTRY} that Recompose did not make. "
            "Rename it there, or use another database."
        )
    ensure_loaded(connection, REGISTRY)


def ensure_loaded(connection: Connection, collection: str, index_name: str = "") -> None:
    """Load a collection for searches, once a connection; a server may have unloaded it."""
    if collection in connection.ready:
        return
    with _lock_of(collection):
        if collection not in connection.ready:
            _load(connection, collection, index_name)


def _load(connection: Connection, collection: str, index_name: str) -> None:
    started = time.monotonic()
    with connection.session(index_name) as client:
        if not client.list_indexes(collection):
            # Somebody died between making and indexing it, or while indexing it anew.
            params = _vector_index("FLAT", "L2" if collection == REGISTRY else "COSINE")
            client.create_index(collection, params, timeout=_BUILD_SECONDS)
        client.load_collection(collection, timeout=WORK_SECONDS)
        connection.note_loaded(collection, time.monotonic() - started)


def index_anew(connection: Connection, collection: str, index_type: IndexType) -> None:
    """Replace the vector index of a collection of images; the rows stay as they are.

    Whoever dies in the middle leaves a collection without one, which `ensure_loaded` mends.
    """
    with _lock_of(collection), connection.session() as client:
        connection.ready.discard(collection)
        names = client.list_indexes(collection)
        types = {client.describe_index(collection, name)["index_type"] for name in names}
        if types != {index_type}:
            client.release_collection(collection, timeout=WORK_SECONDS)
            for name in names:
                client.drop_index(collection, name, timeout=WORK_SECONDS)
            params = _vector_index(index_type, "COSINE")
            client.create_index(collection, params, timeout=_BUILD_SECONDS)
        ensure_loaded(connection, collection)


_locks: dict[str, threading.RLock] = {}
"""By collection: threads that search one wait while another loads it or replaces its index."""


def _lock_of(collection: str) -> threading.RLock:
    return _locks.setdefault(collection, threading.RLock())


def _create_registry(client: Any) -> None:
    from pymilvus import DataType, MilvusClient, MilvusException

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.VARCHAR, max_length=64, is_primary=True)
    schema.add_field("body", DataType.VARCHAR, max_length=MAX_VARCHAR)
    # Milvus takes no collection without a vector field; nothing ever searches this one.
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
    try:
        client.create_collection(
            REGISTRY,
            schema=schema,
            index_params=_vector_index("FLAT", "L2"),
            consistency_level="Strong",
            timeout=WORK_SECONDS,
        )
    except MilvusException:
        # Another process was quicker.
        if not client.has_collection(REGISTRY, timeout=CONNECT_SECONDS):
            raise


def _vector_index(index_type: str, metric: str) -> Any:
    from pymilvus import MilvusClient

    params = MilvusClient.prepare_index_params()
    params.add_index("vector", index_name="vector", index_type=index_type, metric_type=metric)
    return params

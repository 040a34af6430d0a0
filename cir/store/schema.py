"""The two kinds of Milvus collections: images of an index, and the registry."""

import dataclasses
import threading
import time
from typing import Any

from cir.errors import StoreAwayError, StoreError
from cir.store import fulltext
from cir.store.connection import CONNECT_SECONDS, WORK_SECONDS, Connection
from cir.store.records import IndexInfo, IndexType
from cir.store.wire import MAX_PATH_BYTES

REGISTRY = "cir_indexes"
MAX_VARCHAR = 65_535
_BUILD_SECONDS = 3_600.0  # a server takes minutes for a million rows


class NoWordsError(StoreError):
    """This Milvus cannot search for words."""


def create_images(
    connection: Connection,
    collection: str,
    dim: int,
    index_type: IndexType,
    *,
    with_words: bool = False,
) -> None:
    """Make an empty collection of images that is ready for searches.

    `with_words`: whether their words can be searched for, too.

    Raises:
        NoWordsError: this Milvus cannot search for words; nothing is left then.
    """
    if not with_words:
        _create_images(connection, collection, dim, index_type, with_words=False)
        return
    try:
        # Servers before 2.5 refuse the type of the words' vector or its metric.
        _create_images(connection, collection, dim, index_type, with_words=True)
    except StoreAwayError:
        raise
    except StoreError as error:  # if something else is wrong, it is so without words, too
        with connection.session() as client:
            client.drop_collection(collection, timeout=WORK_SECONDS)
        raise NoWordsError(f"{connection.place} cannot search for words.") from error


def make_images(connection: Connection, info: IndexInfo) -> IndexInfo:
    """Make the collection of an index, with words where it has texts and Milvus can.

    Returns:
        The index with what is now known of its words.
    """
    facts = (connection, info.collection, info.dim, info.index_type)
    if not fulltext.has_texts(info):
        create_images(*facts)
        return info
    try:
        create_images(*facts, with_words=True)
    except NoWordsError:
        create_images(*facts)
        return dataclasses.replace(info, words=False)
    return dataclasses.replace(info, words=True)


def _create_images(
    connection: Connection, collection: str, dim: int, index_type: IndexType, *, with_words: bool
) -> None:
    from pymilvus import DataType, Function, FunctionType, MilvusClient

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
    params = _vector_index(index_type, "COSINE")
    if with_words:
        schema.add_field(
            fulltext.FIELD,
            DataType.VARCHAR,
            max_length=fulltext.MAX_BYTES,
            enable_analyzer=True,
            analyzer_params=dict(fulltext.ANALYZER),
        )
        schema.add_field(fulltext.VECTOR_FIELD, DataType.SPARSE_FLOAT_VECTOR)
        schema.add_function(
            Function(
                name="bm25",
                function_type=FunctionType.BM25,
                input_field_names=[fulltext.FIELD],
                output_field_names=[fulltext.VECTOR_FIELD],
            )
        )
        _add_words_index(connection, params)
    with connection.session() as client:
        _create(client, collection, schema, params)
    connection.ready.add(collection)


def holds_words(connection: Connection, collection: str) -> bool:
    """Whether the rows of a collection of images have a field for their words; never changes."""
    if collection not in _holding_words:
        with connection.session() as client:
            fields = client.describe_collection(collection, timeout=CONNECT_SECONDS)["fields"]
        _holding_words[collection] = any(field["name"] == fulltext.FIELD for field in fields)
    return _holding_words[collection]


_holding_words: dict[str, bool] = {}


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
        if not client.list_indexes(collection, "vector"):
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
        names = client.list_indexes(collection, "vector")
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
        _create(client, REGISTRY, schema, _vector_index("FLAT", "L2"))
    except MilvusException:
        # Another process was quicker.
        if not client.has_collection(REGISTRY, timeout=CONNECT_SECONDS):
            raise


def _create(client: Any, collection: str, schema: Any, params: Any) -> None:
    """Make a collection with its indexes and load it."""
    client.create_collection(
        collection, schema=schema, consistency_level="Strong", timeout=WORK_SECONDS
    )
    # Without `sync=False` pymilvus sleeps half a second for each index of the empty collection.
    client.create_index(collection, params, timeout=WORK_SECONDS, sync=False)
    client.load_collection(collection, timeout=WORK_SECONDS)


def _vector_index(index_type: str, metric: str) -> Any:
    from pymilvus import MilvusClient

    params = MilvusClient.prepare_index_params()
    params.add_index("vector", index_name="vector", index_type=index_type, metric_type=metric)
    return params


def _add_words_index(connection: Connection, params: Any) -> None:
    params.add_index(
        fulltext.VECTOR_FIELD,
        index_name=fulltext.VECTOR_FIELD,
        index_type="AUTOINDEX" if connection.backend == "Zilliz Cloud" else "SPARSE_INVERTED_INDEX",
        metric_type="BM25",
        params=dict(fulltext.BM25),
    )

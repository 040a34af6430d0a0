"""The Milvus adapter: indexes of images on Milvus Lite, a Milvus server or Zilliz Cloud.

Importing this package loads neither pymilvus nor a backend; the first call of a `Store` does.
"""

import importlib
from typing import TYPE_CHECKING, Any

from cir.store.records import (
    ColumnType,
    Hit,
    ImageRecord,
    IndexInfo,
    IndexKind,
    IndexState,
    Metadata,
    Row,
    image_id,
)

if TYPE_CHECKING:
    from cir.store.index import Index
    from cir.store.store import Store, gallery_store, index_store

__all__ = [
    "ColumnType",
    "Hit",
    "ImageRecord",
    "Index",
    "IndexInfo",
    "IndexKind",
    "IndexState",
    "Metadata",
    "Row",
    "Store",
    "gallery_store",
    "image_id",
    "index_store",
]


_LATE = {
    "Index": "cir.store.index",
    "Store": "cir.store.store",
    "gallery_store": "cir.store.store",
    "index_store": "cir.store.store",
}


def __getattr__(name: str) -> Any:
    # Late: these bring what reads and writes Milvus, which a reader of records does not need.
    if name in _LATE:
        return getattr(importlib.import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

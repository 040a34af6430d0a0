"""The Milvus adapter: indexes of images on Milvus Lite, a Milvus server or Zilliz Cloud.

Importing this package loads neither pymilvus nor a backend; the first call of a `Store` does.
"""

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
    from cir.store.store import Store

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
    "image_id",
]


def __getattr__(name: str) -> Any:
    # Late: they bring what reads and writes Milvus, which a reader of records does not need.
    if name == "Store":
        from cir.store.store import Store

        return Store
    if name == "Index":
        from cir.store.index import Index

        return Index
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

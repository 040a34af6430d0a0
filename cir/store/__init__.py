"""The Milvus adapter: indexes of images on Milvus Lite, a Milvus server or Zilliz Cloud.

Importing this package loads neither pymilvus nor a backend; the first call of a `MilvusStore` does.
"""

from typing import TYPE_CHECKING

from cir.late import late_names
from cir.store.records import (
    ColumnType,
    Hit,
    ImageRecord,
    IndexInfo,
    IndexKind,
    IndexState,
    Metadata,
    Reranked,
    Row,
    UsualScore,
    UsualScores,
    image_id,
    is_image_id,
)

if TYPE_CHECKING:
    from cir.store.connection import patient
    from cir.store.index import MilvusIndex
    from cir.store.store import MilvusStore, gallery_store, index_store

__all__ = [
    "ColumnType",
    "Hit",
    "ImageRecord",
    "IndexInfo",
    "IndexKind",
    "IndexState",
    "Metadata",
    "MilvusIndex",
    "MilvusStore",
    "Reranked",
    "Row",
    "UsualScore",
    "UsualScores",
    "gallery_store",
    "image_id",
    "index_store",
    "is_image_id",
    "patient",
]


# Late: these bring what reads and writes Milvus, which a reader of records does not need.
__getattr__ = late_names(
    __name__,
    {
        "MilvusIndex": "cir.store.index",
        "MilvusStore": "cir.store.store",
        "gallery_store": "cir.store.store",
        "index_store": "cir.store.store",
        "patient": "cir.store.connection",
    },
)

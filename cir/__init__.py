"""Composed image retrieval: find images by a picture and a sentence.

    store = cir.Store()
    index = store.index("shop", "PHOTOS")
    hits = index.search(image="shirt.jpg", text="in red", limit=10)

Importing this costs nothing: each name brings what it needs when it is first used.
"""

from typing import TYPE_CHECKING

from cir.late import late_names

if TYPE_CHECKING:
    from cir.encoders.protocol import Embeddings, Encoder, EncoderChoice, EncoderSpec
    from cir.encoders.registry import encoder_specs, load_encoder
    from cir.errors import (
        AccessError,
        EncoderError,
        EncoderMismatchError,
        ImageError,
        ReadOnlyError,
        RecomposeError,
        StoreAwayError,
        StoreBusyError,
        StoreError,
        UnknownIndexError,
        UsageError,
    )
    from cir.indexing.folder import FailedImage, IngestReport
    from cir.indexing.reencode import ReencodeReport
    from cir.library import Index, Store
    from cir.progress import Progress
    from cir.search.options import SearchOptions
    from cir.settings import Settings, load_settings
    from cir.store.facets import Facet
    from cir.store.records import Hit, ImageRecord, IndexInfo, Row, image_id

__version__ = "0.1.0"

_MODULES = {
    "cir.encoders.protocol": ("Embeddings", "Encoder", "EncoderChoice", "EncoderSpec"),
    "cir.encoders.registry": ("encoder_specs", "load_encoder"),
    "cir.errors": (
        *("AccessError", "EncoderError", "EncoderMismatchError", "ImageError", "ReadOnlyError"),
        *("RecomposeError", "StoreAwayError", "StoreBusyError", "StoreError"),
        *("UnknownIndexError", "UsageError"),
    ),
    "cir.indexing.folder": ("FailedImage", "IngestReport"),
    "cir.indexing.reencode": ("ReencodeReport",),
    "cir.library": ("Index", "Store"),
    "cir.progress": ("Progress",),
    "cir.search.options": ("SearchOptions",),
    "cir.settings": ("Settings", "load_settings"),
    "cir.store.facets": ("Facet",),
    "cir.store.records": ("Hit", "ImageRecord", "IndexInfo", "Row", "image_id"),
}

__all__ = [
    "AccessError",
    "Embeddings",
    "Encoder",
    "EncoderChoice",
    "EncoderError",
    "EncoderMismatchError",
    "EncoderSpec",
    "Facet",
    "FailedImage",
    "Hit",
    "ImageError",
    "ImageRecord",
    "Index",
    "IndexInfo",
    "IngestReport",
    "Progress",
    "ReadOnlyError",
    "RecomposeError",
    "ReencodeReport",
    "Row",
    "SearchOptions",
    "Settings",
    "Store",
    "StoreAwayError",
    "StoreBusyError",
    "StoreError",
    "UnknownIndexError",
    "UsageError",
    "encoder_specs",
    "image_id",
    "load_encoder",
    "load_settings",
]

__getattr__ = late_names(
    __name__, {name: module for module, names in _MODULES.items() for name in names}
)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

"""The two stores that settings name: people's indexes, and evaluation galleries."""

from cir.settings import Settings
from cir.store import Store


def index_store(settings: Settings) -> Store:
    """The store of people's indexes; connects late."""
    return _store(settings.index_uri, settings)


def gallery_store(settings: Settings) -> Store:
    """The store of evaluation galleries; connects late."""
    return _store(settings.gallery_uri, settings)


def _store(uri: str, settings: Settings) -> Store:
    return Store(
        uri, settings.milvus_token, data_dir=settings.data_dir, read_only=settings.read_only
    )

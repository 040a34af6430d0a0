"""Encoders are loaded anew in each test: tests change files that an encoder was loaded from."""

from collections.abc import Iterator

import pytest

from cir.encoders import registry


@pytest.fixture(autouse=True)
def _nothing_loaded() -> Iterator[None]:
    registry._loaded.cache_clear()
    yield
    registry._loaded.cache_clear()

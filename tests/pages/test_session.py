"""What the sessions of a server share."""

from pathlib import Path

import pytest
from streamlit.runtime.caching import cache_data, cache_resource

from cir.store import MilvusStore
from pages.parts.shell import session


def test_whoever_empties_streamlits_caches_closes_no_store_under_a_search(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[MilvusStore] = []

    def close(store: MilvusStore) -> None:
        closed.append(store)

    stores = [session.store(), session.galleries()]
    monkeypatch.setattr(MilvusStore, "close", close)
    cache_data.clear()  # what Streamlit does when a client's `clear_cache` arrives
    cache_resource.clear()
    assert [session.store(), session.galleries()] == stores
    assert closed == []

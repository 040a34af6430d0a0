"""What the sessions of a server share."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
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


@pytest.mark.parametrize(
    ("listens", "comes_from", "local"),
    [
        ("127.0.0.1", None, True),
        ("127.0.0.1", "203.0.113.7", False),  # as a proxy on the machine says
        ("0.0.0.0", None, False),
        (None, None, False),
    ],
)
def test_local_people_come_from_the_machine_itself(
    monkeypatch: pytest.MonkeyPatch, listens: str | None, comes_from: str | None, local: bool
) -> None:
    monkeypatch.setattr(st, "get_option", {"server.address": listens}.__getitem__)
    monkeypatch.setattr(st, "context", SimpleNamespace(ip_address=comes_from))
    assert session.is_local() is local

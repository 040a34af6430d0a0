"""A server that goes away while somebody looks at the dashboard."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.app import ask, bar, running_app, settle
from tests.places import REPOSITORY
from tests.quick_server import quick_server
from tests.tcp_proxy import TcpProxy


@pytest.fixture
def server(pictures: Path) -> Iterator[TcpProxy]:
    """The way to a server that holds the index "shirts"."""
    with quick_server() as proxy:
        subprocess.run(
            [sys.executable, "-m", "cir", "index", str(pictures), "--name", "shirts"],
            cwd=REPOSITORY,
            env={**os.environ, "CIR_MILVUS_URI": proxy.uri},
            check=True,
            capture_output=True,
        )
        yield proxy


def test_the_page_says_that_it_waits_and_goes_on_by_itself(
    browser: Browser, server: TcpProxy, tmp_path: Path
) -> None:
    with running_app(
        tmp_path / "data", tmp_path / "app.log", {"CIR_MILVUS_URI": server.uri}
    ) as address:
        tab = browser.new_page()
        tab.goto(address)
        expect(bar(tab)).to_be_visible(timeout=60_000)
        settle(tab)
        server.cut()
        ask(tab, "a red shirt")
        state = tab.get_by_text("does not answer. Trying again.")
        expect(state).to_be_visible(timeout=30_000)
        assert tab.get_by_test_id("stAlertContentError").count() == 0
        server.restore()
        expect(tab.get_by_text("red *shirt* plain.png")).to_be_visible(timeout=30_000)
        expect(state).to_have_count(0)
        tab.close()

"""No page asks a foreign host for anything."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.app import running_app, settle
from tests.places import REPOSITORY


@contextmanager
def only_asking(browser: Browser, address: str) -> Iterator[Page]:
    """A tab in which nothing but the app's own host is asked for anything."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    expect.set_options(timeout=30_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))  # the icon's as well
    page.on("websocket", lambda socket: asked.append(socket.url))
    yield page
    # An icon that is named already, but not fetched yet.
    asked += page.locator("link[href]").evaluate_all("links => links.map(each => each.href)")
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(address).netloc}
    icon = page.locator('link[rel~="icon"]').get_attribute("href")
    assert icon and icon.startswith("data:image/svg+xml"), "the tab has the mark as its icon"
    context.close()


@pytest.mark.usefixtures("run")
def test_the_pages_ask_their_own_host_alone(browser: Browser, app: str) -> None:
    with only_asking(browser, app) as page:
        page.goto(f"{app}/?index=shirts&instruction=a+green+shirt")
        expect(page.locator('.st-key-results img[alt^="Result "]').first).to_be_visible()
        settle(page)
        for name in ("Indexes", "Metrics", "Search"):
            page.get_by_role("link", name=name, exact=True).click()
            expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
            settle(page)


def test_the_main_script_of_community_cloud_asks_its_own_host_alone(
    browser: Browser, data_dir: Path, tmp_path: Path
) -> None:
    start = [sys.executable, "-P", "-m", "streamlit", "run", "cloud/streamlit_app.py"]
    log = tmp_path / "log"
    with (
        running_app(data_dir, log, start=start, folder=REPOSITORY) as address,
        only_asking(browser, address) as page,
    ):
        page.goto(address)
        expect(page.get_by_role("heading", name="Search", exact=True)).to_be_visible()
        settle(page)

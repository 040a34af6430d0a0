"""The ways to start the app, beside its main script: each shows all pages in the app's colours."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.app import running_app, server_of
from tests.browser.stranger import stranger
from tests.places import REPOSITORY

GROUND = "rgb(253, 252, 250)"  # backgroundColor of theme.light in .streamlit/config.toml
PAGES = ("Indexes", "Metrics", "Search")


def test_an_installed_package_serves_in_an_empty_folder(
    browser: Browser, installed: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    _shows_its_pages(browser, tmp_path, [installed / "recompose", "serve"], empty)
    assert list(empty.iterdir()) == []


def test_a_checkout_serves_from_anywhere(browser: Browser, tmp_path: Path) -> None:
    start = [sys.executable, "-m", "cir", "serve"]
    _shows_its_pages(browser, tmp_path, start, tmp_path, env={"PYTHONPATH": str(REPOSITORY)})


def test_the_main_script_of_community_cloud_runs_in_the_repository(
    browser: Browser, tmp_path: Path
) -> None:
    # -P: the command `streamlit`, which runs there, does not import from the working folder either.
    start = [sys.executable, "-P", "-m", "streamlit", "run", "cloud/streamlit_app.py"]
    _shows_its_pages(browser, tmp_path, start, REPOSITORY)


@pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="needs Linux's /proc")
def test_the_server_has_no_folder_watched(app: str) -> None:
    """Watched ones would be all below the repository, a virtual environment among them."""
    with stranger(app) as session:
        session.run()
    opened = Path(f"/proc/{server_of(app)}/fdinfo")
    assert [each for each in opened.iterdir() if "inotify" in each.read_text()] == []


def _shows_its_pages(
    browser: Browser,
    tmp_path: Path,
    start: Sequence[str | Path],
    folder: Path,
    env: Mapping[str, str] | None = None,
) -> None:
    log = tmp_path / "log"
    with running_app(tmp_path / "data", log, env, start=start, folder=folder) as address:
        page = browser.new_page(color_scheme="light")
        page.set_default_timeout(60_000)
        expect.set_options(timeout=20_000)
        page.goto(address)
        expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(len(PAGES))
        expect(page.get_by_test_id("stApp")).to_have_css("background-color", GROUND)
        for name in PAGES:
            page.get_by_role("link", name=name, exact=True).click()
            expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
            expect(page.get_by_test_id("stException")).to_have_count(0)
        expect(page.get_by_role("button", name="Build the sample catalogue")).to_be_visible()
        page.close()

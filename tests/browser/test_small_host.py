"""A small public host: no home to write to, an empty data folder, little memory."""

import sys
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.app import memory_mb, running_app

LIMIT_MB = 690
RESULTS = 'img[alt^="Result "]'


def test_a_read_only_host_without_a_home_builds_the_sample_by_itself_in_little_memory(
    browser: Browser, tmp_path: Path
) -> None:
    # Nobody, not even root, can make a folder in /proc.
    env = {"HOME": "/proc", "TMPDIR": str(tmp_path), "CIR_DATA_DIR": "", "CIR_READ_ONLY": "true"}
    with running_app(None, tmp_path / "log", env) as address:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(address)
        page.get_by_role("button", name="Search with this").first.click()
        page.get_by_role("button", name="in red", exact=True).click()
        expect(page.locator(RESULTS)).to_have_count(24)
        used = memory_mb(address)
        page.get_by_role("link", name="Indexes").click()
        expect(page.get_by_role("heading", name="Indexes")).to_be_visible()
        assert page.get_by_role("button", name="Drop").count() == 0
        page.close()
    print(f"{used:.0f} MB after a search", file=sys.stderr)
    assert used < LIMIT_MB


def test_the_first_visitor_may_come_by_the_address_of_a_page(
    browser: Browser, tmp_path: Path
) -> None:
    with running_app(tmp_path / "data", tmp_path / "log") as address:
        page = browser.new_page()
        page.goto(f"{address}/metrics")
        expect(page.get_by_role("heading", name="Metrics", exact=True)).to_be_visible()
        expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(3)
        page.close()

"""A small public host: no home to write to, an empty data folder, little memory."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, expect

from tests.browser.app import running_app

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
        used = sum(map(_memory_mb, _tree(server_of(address))))
        page.get_by_role("link", name="Indexes").click()
        expect(page.get_by_role("heading", name="Indexes")).to_be_visible()
        assert page.get_by_role("button", name="Drop").count() == 0
        page.close()
    print(f"{used:.0f} MB after a search", file=sys.stderr)
    assert used < LIMIT_MB


def server_of(address: str) -> int:
    """The process that was started for this address."""
    port = str(urlsplit(address).port)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if "streamlit" in words and port in words:
            return int(folder.name)
    raise AssertionError(f"no server on port {port}")


def _tree(root: int) -> list[int]:
    found = [root]
    for pid in found:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            found += [int(child) for child in children.read_text().split()]
    return found


def _memory_mb(pid: int) -> float:
    """Proportional set size: what the process has for itself, and its share of the rest."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def test_the_first_visitor_may_come_by_the_address_of_a_page(
    browser: Browser, tmp_path: Path
) -> None:
    with running_app(tmp_path / "data", tmp_path / "log") as address:
        page = browser.new_page()
        page.goto(f"{address}/metrics")
        expect(page.get_by_role("heading", name="Metrics", exact=True)).to_be_visible()
        expect(page.get_by_test_id("stSidebarNavLink")).to_have_count(3)
        page.close()

"""The app as a process, and a browser to look at it."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.places import REPOSITORY

MAIN_SCRIPT = (sys.executable, "-m", "streamlit", "run", "streamlit_app.py")
START_SECONDS = 60
TRIES = 8
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def chromium_path() -> str:
    """The installed Chromium; skips the test without one, fails it in CI."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if found is None:
        reason = "needs Chromium (Debian: apt-get install chromium)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def settle(page: Page) -> None:
    """Wait until the script is at rest: what is shown is then the answer to what was asked last."""
    state = "data-test-script-state"
    expect(page.get_by_test_id("stApp")).to_have_attribute(state, "notRunning")


@contextmanager
def running_app(
    data_dir: Path | None,
    log: Path,
    env: Mapping[str, str] | None = None,
    *,
    start: Sequence[str | Path] = MAIN_SCRIPT,
    folder: Path = REPOSITORY,
) -> Iterator[str]:
    """The app on a free port of loopback; gives its address.

    Without a data folder it finds one by itself; `env` is added to its environment. `start` is
    the command, which takes options of Streamlit; it runs in `folder`.
    """
    settings = {} if data_dir is None else {"CIR_DATA_DIR": str(data_dir)}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*start, "--server.port", str(port), "--server.address", "127.0.0.1"]
    command += ["--server.headless", "true"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **settings, **(env or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address, process, log)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"the app did not start: {log.read_text(errors='replace')[-2000:]}")


def bar(page: Page) -> Locator:
    """The box of the search page."""
    return page.get_by_test_id("stChatInputTextArea")


def ask(page: Page, text: str, picture: Path | None = None) -> None:
    """Ask by a sentence, a picture, or both."""
    if picture is not None:
        box = page.get_by_test_id("stChatInput")
        box.locator('input[type="file"]').set_input_files(picture)
        expect(box.get_by_test_id("stChatInputSubmitButton")).to_be_enabled()
    bar(page).fill(text)
    bar(page).press("Enter")
    expect(bar(page)).to_have_value("")


def choose(page: Page, box: str, option: str) -> None:
    """Choose an option of the box with this label, as often as it takes.

    An open list closes when the page scrolls or is drawn anew; a person would open it again.
    """
    wanted = page.get_by_role("option", name=option, exact=True).first
    for _ in range(TRIES):
        found = page.get_by_role("combobox", name=box)
        found.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        found.click()
        found.fill(option)
        try:
            wanted.click(timeout=3000)
            return
        except PlaywrightTimeout:
            page.keyboard.press("Escape")
    pytest.fail(f"no option {option!r} under {box!r}")


def memory_mb(address: str) -> float:
    """MB of memory that the server at this address and its children have."""
    return sum(map(_memory_mb, _tree(server_of(address))))


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
            try:
                words = children.read_text().split()
            except OSError:
                continue  # a thread that has just ended
            found += [int(child) for child in words]
    return found


def _memory_mb(pid: int) -> float:
    """Proportional set size: what the process has for itself, and its share of the rest."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0  # a process that has just ended
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024

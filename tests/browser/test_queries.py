"""Looking at single queries, and making a labelled set, in a real browser."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from eval.sets.formats.native import load_native
from tests.browser.app import running_app, settle
from tests.places import REPOSITORY

RED, BLUE = "red *shirt* plain.png", "blue *shirt* plain.png"


@pytest.fixture(scope="module")
def own_data_dir(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an index of the pictures, and a run of two queries on it."""
    data, labelled = tmp_path_factory.mktemp("queries"), tmp_path_factory.mktemp("set") / "shirts"
    (labelled / "qrels").mkdir(parents=True)
    queries = [
        {"_id": "q1", "image": RED, "text": "in blue", "group": "colour"},
        {"_id": "q2", "image": BLUE, "text": "striped", "group": "pattern"},
    ]
    (labelled / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    rows = ["query-id\tcorpus-id\tscore", f"q1\t{BLUE}\t1", "q2\tblue *shirt* striped.png\t1"]
    (labelled / "qrels" / "test.tsv").write_text("\n".join(rows) + "\n")
    for command in (
        ["cir", "index", str(pictures), "--name", "shirts"],
        ["eval", "run", "--set", str(labelled), "--index", "shirts", "--ablations"],
    ):
        subprocess.run(
            [sys.executable, "-m", *command],
            cwd=REPOSITORY,
            env={**os.environ, "CIR_DATA_DIR": str(data)},
            check=True,
            capture_output=True,
        )
    return data


@pytest.fixture
def tab(
    browser: Browser, own_data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """The metrics page of an app over it."""
    with running_app(own_data_dir, tmp_path_factory.mktemp("log") / "app.log") as address:
        context = browser.new_context(viewport={"width": 1280, "height": 1400})
        page = context.new_page()
        page.set_default_timeout(30_000)
        expect.set_options(timeout=30_000)
        page.goto(f"{address}/metrics")
        yield page
        context.close()


def test_from_a_query_of_a_run_to_a_labelled_set_of_ones_own(tab: Page, own_data_dir: Path) -> None:
    tab.get_by_role("textbox", name="With these words").fill("in blue")
    tab.keyboard.press("Enter")
    expect(tab.get_by_alt_text(f"Reference image: {RED}")).to_be_visible()
    target = tab.get_by_alt_text(re.compile(r"^Result \d+, a target: " + re.escape(BLUE)))
    expect(target).to_be_visible()
    assert target.evaluate("image => getComputedStyle(image).outlineStyle") == "solid"
    other = tab.get_by_alt_text(re.compile(r"^Result \d+: ")).first
    assert other.evaluate("image => getComputedStyle(image).outlineStyle") == "none"

    settle(tab)  # a report is made when asked for, and not by a button that is being drawn anew
    with tab.expect_download() as report:
        tab.get_by_role("button", name="Report (HTML)").click()
    assert "data:image/jpeg;base64," in report.value.path().read_text(encoding="utf-8")

    tab.get_by_role("button", name="Open in search").click()
    expect(tab.get_by_role("heading", name="Search", exact=True)).to_be_visible()
    expect(tab.get_by_alt_text(f"Reference image: {RED}")).to_be_visible()
    expect(tab.get_by_role("button", name="“in blue”")).to_be_visible()
    assert "index=shirts" in tab.url

    tab.get_by_role("button", name="What to do with the results").click()
    tab.get_by_text("Mark targets").click()
    tab.keyboard.press("Escape")
    tab.get_by_text("Target: result 1", exact=True).click()
    expect(tab.get_by_text("1 target marked.")).to_be_visible()
    tab.get_by_role("button", name="Add the query").click()
    expect(tab.get_by_text("Added to my-set. Queries in it: 1.")).to_be_visible()
    (query,) = load_native(own_data_dir / "labelled_sets" / "my-set").queries
    assert (query.reference, query.instruction) == (RED, "in blue")
    assert tab.get_by_text("Traceback").count() == 0

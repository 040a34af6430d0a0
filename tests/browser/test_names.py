"""Names that look like addresses are text on every page."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.app import running_app, settle
from tests.drawn import save, solid
from tests.places import REPOSITORY

WEB, MAIL, VALUE = "www.evil.example.jpg", "me.too@evil.example.png", "https://evil.example/x y"
SAID = "see www.evil.example or HTTPS://evil.example/a, a@evil.example"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("names")
    pictures, labelled = folder / "www.evil.example", folder / "set"
    for name, colour in ((WEB, "red"), (MAIL, "blue"), ("http:/evil.example/a.png", "green")):
        save(solid(colour), pictures / name)
    rows = [
        f"{WEB},{VALUE},www.evil.example",
        f"{MAIL},{SAID},a@evil.example".replace(" a,", " a;"),
    ]
    (pictures / "metadata.csv").write_text("\n".join(["file,about,www.evil.example", *rows]) + "\n")
    (labelled / "qrels").mkdir(parents=True)
    query = {"_id": "www.evil.example", "image": WEB, "text": SAID, "group": "www.evil.example"}
    (labelled / "queries.jsonl").write_text(json.dumps(query) + "\n")
    header = "query-id\tcorpus-id\tscore\n"
    (labelled / "qrels" / "test.tsv").write_text(f"{header}www.evil.example\t{MAIL}\t1\n")
    data = folder / "data"
    for arguments in (
        ["cir", "index", pictures, "--name", "www.evil.example"],
        ["eval", "run", "--set", labelled, "--gallery", pictures],
    ):
        subprocess.run(
            [sys.executable, "-m", *map(str, arguments)],
            cwd=REPOSITORY,
            env={**os.environ, "CIR_DATA_DIR": str(data)},
            check=True,
            capture_output=True,
        )
    with running_app(data, folder / "app.log") as address:
        yield address


@pytest.mark.parametrize("path", ["", "indexes", "metrics"])
def test_no_name_becomes_a_link(browser: Browser, app: str, path: str) -> None:
    page = browser.new_page(viewport={"width": 1400, "height": 1200})
    reference = hashlib.sha256(WEB.encode()).hexdigest()[:32]
    asked = f"?instruction={SAID.replace(' ', '%20')}&ref={reference}"
    page.goto(f"{app}/{path}{asked}", timeout=60_000)
    expect(page.get_by_role("heading", level=1)).to_be_visible(timeout=60_000)
    settle(page)
    assert "evil" in page.get_by_test_id("stMain").inner_text()
    require_no_link(page)
    helped = page.get_by_test_id("stTooltipHoverTarget").all()
    for icon in filter(Locator.is_visible, helped):
        icon.hover(force=True)  # a header may lie above it
        page.wait_for_timeout(300)
        require_no_link(page)
    page.close()


def require_no_link(page: Page) -> None:
    links = page.locator("a").evaluate_all("all => all.map(each => each.href)")
    assert [href for href in links if "evil" in href.partition("?")[0].partition("#")[0]] == []

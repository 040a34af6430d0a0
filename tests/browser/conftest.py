"""One app over a small index, one browser, for all browser tests."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.app import CHROMIUM_FLAGS, chromium_path, running_app, settle
from tests.places import REPOSITORY

COLOURS = ("red", "green", "blue", "black", "orange", "purple")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve drawn shirts with a table of their colours."""
    folder = tmp_path_factory.mktemp("browser") / "pictures"
    folder.mkdir()
    lines = ["file,colour,stripes"]
    for colour in COLOURS:
        for stripes in (False, True):
            image = Image.new("RGB", (120, 160), "white")
            draw = ImageDraw.Draw(image)
            draw.polygon(
                [(30, 20), (90, 20), (118, 60), (95, 150), (25, 150), (2, 60)], fill=colour
            )
            if stripes:
                for y in range(30, 150, 14):
                    draw.line((20, y, 100, y), fill="white", width=4)
            name = f"{colour} *shirt* {'striped' if stripes else 'plain'}.png"
            image.save(folder / name)
            lines.append(f"{name},{colour},{str(stripes).lower()}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def data_dir(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the index "shirts" of the pictures."""
    folder = tmp_path_factory.mktemp("data")
    subprocess.run(
        [sys.executable, "-m", "cir", "index", str(pictures), "--name", "shirts"],
        cwd=REPOSITORY,
        env={**os.environ, "CIR_DATA_DIR": str(folder)},
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="session")
def run(data_dir: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A run in the data folder: of each plain shirt the one with stripes is wanted."""
    labelled = tmp_path_factory.mktemp("labelled") / "stripes"
    (labelled / "qrels").mkdir(parents=True)
    queries = [
        {"_id": colour, "image": f"{colour} *shirt* plain.png", "text": "with stripes"}
        for colour in COLOURS
    ]
    (labelled / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    targets = [f"{colour}\t{colour} *shirt* striped.png\t1" for colour in COLOURS]
    lines = ["query-id\tcorpus-id\tscore", *targets]
    (labelled / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n")
    command = ["run", "--set", str(labelled), "--gallery", str(pictures), "--ablations"]
    subprocess.run(
        [sys.executable, "-m", "eval", *command],
        cwd=REPOSITORY,
        env={**os.environ, "CIR_DATA_DIR": str(data_dir)},
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="session")
def app(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the running app."""
    with running_app(data_dir, tmp_path_factory.mktemp("log") / "app.log") as address:
        yield address


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, app: str) -> Iterator[Page]:
    """A fresh tab on the app's first page."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.set_default_timeout(30_000)
    expect.set_options(timeout=20_000)
    tab.goto(f"{app}/?index=shirts")
    expect(tab.get_by_role("heading", name="Search")).to_be_visible()
    settle(tab)  # a file that is chosen before is forgotten
    yield tab
    context.close()

"""What a person does on the metrics page, in a real browser."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.app import TRIES, choose, running_app, settle

PICTURES = 400  # enough that a run takes some seconds
QUERIES = 40


@pytest.fixture(scope="module")
def own_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder without a run."""
    return tmp_path_factory.mktemp("metrics")


@pytest.fixture(scope="module")
def own_app(own_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an app over it."""
    with running_app(own_data_dir, tmp_path_factory.mktemp("log") / "app.log") as address:
        yield address


@pytest.fixture
def metrics(browser: Browser, own_app: str) -> Iterator[Page]:
    """The metrics page in a tab of its own."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    tab.goto(own_app)
    go_to(tab, "Metrics")
    yield tab
    context.close()


def go_to(tab: Page, name: str) -> None:
    tab.get_by_role("link", name=name, exact=True).click()
    expect(tab.get_by_role("heading", name=name, exact=True)).to_be_visible()


def draw(
    folder: Path, seed: int, images: int = PICTURES, queries: int = QUERIES
) -> tuple[Path, Path]:
    """A labelled set and its pictures, of colours that the seed decides."""
    dice = random.Random(seed)
    pictures, labelled = folder / "pictures", folder / "tiny set"
    pictures.mkdir()
    for number in range(images):
        colour = (dice.randrange(256), dice.randrange(256), dice.randrange(256))
        Image.new("RGB", (40, 60), colour).save(pictures / f"{number}.png")
    (labelled / "qrels").mkdir(parents=True)
    records, lines = [], ["query-id\tcorpus-id\tscore"]
    for number in range(queries):
        group = "first" if number % 2 else "second"
        query = {"_id": f"q{number}", "image": f"{number}.png", "text": "in red", "group": group}
        records.append(json.dumps(query))
        lines.append(f"q{number}\t{number + queries}.png\t1")
    (labelled / "queries.jsonl").write_text("\n".join(records))
    (labelled / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n")
    return labelled, pictures


def start(tab: Page, labelled: Path, pictures: Path) -> None:
    tab.get_by_text("New run", exact=True).click()
    choose(tab, "Labelled set", "A folder on the server")
    expect(tab.get_by_role("textbox", name="Folder of the labelled set")).to_be_visible()
    settle(tab)
    places = tab.get_by_role("radiogroup", name="Search in")
    place = places.get_by_role("radio", name="A folder of images")
    expect(place).to_be_attached()
    # Where there are indexes, one of them is offered first. A choice is lost where the page is just
    # being drawn anew; a person would choose again.
    for _ in range(TRIES):
        if place.is_checked():
            break
        places.get_by_text("A folder of images", exact=True).click()
        tab.wait_for_timeout(1000)
        settle(tab)
    for label, folder in (
        ("Folder of the labelled set", labelled),
        ("Folder of the images", pictures),
    ):
        box = tab.get_by_role("textbox", name=label)
        box.fill(str(folder))
        box.press("Tab")
    tab.get_by_role("button", name="Run", exact=True).click()


def run_folders(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / "runs").glob("*"))


def test_a_run_goes_on_while_another_page_is_open_and_ends_in_a_table(
    metrics: Page, own_data_dir: Path, tmp_path: Path
) -> None:
    expect(metrics.get_by_text("There is no run yet.")).to_be_visible()
    start(metrics, *draw(tmp_path, 1))
    expect(metrics.get_by_text("Evaluating: tiny set")).to_be_visible()
    go_to(metrics, "Search")
    go_to(metrics, "Metrics")
    expect(metrics.get_by_role("heading", name="tiny set, encoder compact")).to_be_visible()
    table = metrics.get_by_role("table").first
    for words in ("recall@50", "MRR", "Composed", "Image only", "Text only", "Sum"):
        expect(table.get_by_text(words, exact=True)).to_be_visible()
    expect(metrics.get_by_role("heading", name="By group")).to_be_visible()
    assert [name.startswith("tiny-set-") for name in run_folders(own_data_dir)] == [True]
    metrics.set_viewport_size({"width": 390, "height": 900})
    expect(table).to_be_visible()
    assert metrics.evaluate("document.documentElement.scrollWidth") == 390
    assert metrics.get_by_text("Traceback").count() == 0


def test_a_cancelled_run_leaves_no_folder(
    metrics: Page, own_data_dir: Path, tmp_path: Path
) -> None:
    before = run_folders(own_data_dir)
    start(metrics, *draw(tmp_path, 2, images=1200, queries=600))  # longer than a click takes
    metrics.get_by_role("button", name="Cancel").click()
    expect(metrics.get_by_text("The evaluation was cancelled; no run was kept.")).to_be_visible()
    assert run_folders(own_data_dir) == before
    metrics.get_by_role("button", name="Dismiss").click()
    expect(metrics.get_by_text("was cancelled")).to_have_count(0)

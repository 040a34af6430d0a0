"""What a person does on the Indexes page, in a real browser."""

import csv
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.app import ask, choose, running_app, settle

MANY, SOME = 1200, 400
HEIGHT = 1600  # all of the page, mostly: what scrolls meanwhile is no matter of these tests
# Whoever edits the sources meanwhile would otherwise make the server forget its jobs.
ENV = {"STREAMLIT_SERVER_FILE_WATCHER_TYPE": "none"}


@pytest.fixture(scope="module")
def own_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("own data")


@pytest.fixture(scope="module")
def own_app(own_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app without an index, for these tests alone."""
    log = tmp_path_factory.mktemp("log") / "app.log"
    with running_app(own_data, log, ENV) as address:
        yield address
    said = log.read_text(errors="replace")
    assert "Traceback" not in said, said


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough small pictures to stop their indexing half way."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(MANY):
        colour = (number % 256, number * 7 % 256, number * 13 % 256)
        Image.new("RGB", (24, 24), colour).save(folder / f"{number:04}.bmp")
    return folder


def open_page(browser: Browser, address: str, width: int = 1280) -> Page:
    tab = browser.new_context(viewport={"width": 1280, "height": HEIGHT}).new_page()
    tab.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    tab.goto(address)
    expect(tab.get_by_role("heading", name="Search")).to_be_visible()
    settle(tab)
    tab.get_by_role("link", name="Indexes").click()
    expect(tab.get_by_role("heading", name="Indexes")).to_be_visible()
    tab.set_viewport_size({"width": width, "height": HEIGHT})
    return tab


@pytest.fixture
def tab(browser: Browser, own_app: str) -> Iterator[Page]:
    tab = open_page(browser, own_app)
    yield tab
    tab.context.close()


def textbox(tab: Page, name: str) -> Locator:
    return tab.get_by_role("textbox", name=name)


def button(tab: Page, name: str) -> Locator:
    return tab.get_by_test_id("stMain").get_by_role("button", name=name, exact=True)


def uploader(tab: Page, label: str) -> Locator:
    """The input of the file uploader with this label."""
    found = tab.get_by_test_id("stFileUploader").filter(has=tab.get_by_text(label, exact=True))
    return found.locator('input[type="file"]')


def build_folder(tab: Page, name: str, folder: Path) -> None:
    textbox(tab, "Name of the index").fill(name)
    textbox(tab, "Folder on the server").fill(str(folder))
    button(tab, "Build the index").click()


def drop(tab: Page, name: str) -> None:
    settle(tab)
    choose(tab, "Index to change", name)
    button(tab, "Drop …").click()
    textbox(tab, "Type the name of the index").fill(name[:-1])
    tab.get_by_role("button", name="Drop for good").click()
    expect(tab.get_by_text("This is not the name")).to_be_visible()
    textbox(tab, "Type the name of the index").fill(name)
    tab.get_by_role("button", name="Drop for good").click()
    expect(tab.get_by_text(f"Dropped “{name}”")).to_be_visible()


def test_uploads_become_an_index_that_names_the_broken_file(
    tab: Page, pictures: Path, tmp_path: Path, own_data: Path
) -> None:
    broken = tmp_path / "not *a* picture.png"
    broken.write_text("words")
    tab.get_by_text("Images to upload").click()
    textbox(tab, "Name of the index").fill("my shirts")
    shirts = sorted(pictures.glob("*.png"))
    uploader(tab, "Images").set_input_files([*shirts, broken])
    expect(tab.get_by_role("button", name=f"Remove {broken.name}")).to_be_visible()
    uploader(tab, "Metadata file (optional)").set_input_files(pictures / "metadata.csv")
    expect(tab.get_by_role("button", name="Remove metadata.csv")).to_be_visible()
    button(tab, "Build the index").click()
    expect(tab.get_by_text("12 added, 1 failed")).to_be_visible()
    expect(tab.get_by_text("Metadata for 12 images")).to_be_visible()

    tab.get_by_text("1 failed", exact=True).click()
    reason = tab.get_by_text("the content is not an image of a known format")
    expect(reason).to_be_visible()
    settle(tab)
    with tab.expect_download() as download:
        button(tab, "Failed files as CSV").click()
    rows = list(csv.reader(download.value.path().read_text("utf-8-sig").splitlines()))
    assert rows == [
        ["path", "reason"],
        ["not *a* picture.png", "the content is not an image of a known format"],
    ]

    button(tab, "Search in it").click()
    ask(tab, "a red shirt")
    expect(tab.locator('img[alt^="Result "]')).to_have_count(12)

    tab.get_by_role("link", name="Indexes").click()
    drop(tab, "my shirts")
    assert list((own_data / "uploads").iterdir()) == []


def test_a_zip_becomes_an_index(tab: Page, pictures: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(pictures.iterdir()):
            archive.write(path, f"shirts/{path.name}")
    tab.get_by_text("A zip to upload").click()
    textbox(tab, "Name of the index").fill("zipped")
    file = {"name": "röd.zip", "mimeType": "application/zip", "buffer": buffer.getvalue()}
    uploader(tab, "Zip of images").set_input_files(file)  # type: ignore[arg-type]
    expect(tab.get_by_role("button", name="Remove röd.zip")).to_be_visible()
    button(tab, "Build the index").click()
    expect(tab.get_by_text("12 added")).to_be_visible()
    expect(tab.get_by_text("Metadata for 12 images")).to_be_visible()


def test_a_build_is_seen_in_two_tabs_cancelled_and_continued(
    browser: Browser, tab: Page, own_app: str, many: Path
) -> None:
    other = open_page(browser, own_app, width=390)
    build_folder(tab, "many", many)
    expect(tab.get_by_text("Building “many”").last).to_be_visible()
    expect(button(tab, "Cancel")).to_be_visible()
    expect(button(other, "Cancel")).to_be_visible()  # by itself

    # Leaving the page and coming back does not matter to the work.
    tab.get_by_role("link", name="Metrics").click()
    expect(other.get_by_text(f" of {MANY:,}")).to_be_visible()
    assert other.get_by_test_id("stMain").get_by_role("button", name="Cancel").count() == 1
    tab.get_by_role("link", name="Indexes").click()
    expect(button(tab, "Cancel")).to_have_count(1)

    # The same build again is the one that runs.
    build_folder(other, "many", many)
    expect(other.get_by_role("button", name="Cancel")).to_have_count(1)
    button(tab, "Cancel").click()
    expect(tab.get_by_text("What is done stays")).to_be_visible()
    expect(other.get_by_text("What is done stays")).to_be_visible()
    width = other.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, "nothing sticks out on a phone"
    other.context.close()

    tab.get_by_test_id("stMain").get_by_role("button", name="Continue").first.click()
    summary = tab.get_by_text(", in ").filter(has_text="“many”: ")
    expect(summary).to_be_visible(timeout=120_000)  # a busy machine encodes slowly
    text = summary.inner_text()
    numbers = [int(word) for word in text.replace(",", "").split() if word.isdigit()]
    assert "unchanged" in text or numbers[0] == MANY
    assert sum(numbers[:-1]) == MANY
    drop(tab, "many")


def test_an_index_is_searched_while_it_moves_to_another_encoder(
    browser: Browser, tab: Page, own_app: str, many: Path, tmp_path: Path
) -> None:
    for picture in sorted(many.iterdir())[:SOME]:
        (tmp_path / picture.name).symlink_to(picture)
    build_folder(tab, "moving", tmp_path)
    expect(tab.get_by_text(f"{SOME} added")).to_be_visible(timeout=60_000)
    other = browser.new_context().new_page()
    other.goto(f"{own_app}/?index=moving")
    expect(other.get_by_role("heading", name="Search")).to_be_visible()
    settle(other)
    choose(tab, "Index to change", "moving")
    settle(tab)  # an answer that is still to come would close what is opened
    button(tab, "Move to another encoder …").click()
    tab.get_by_role("button", name="Encode anew").click()
    expect(button(tab, "Cancel")).to_be_visible()

    ask(other, "red")
    expect(other.locator('img[alt^="Result "]').first).to_be_visible()
    assert button(tab, "Cancel").is_visible(), "it has moved already"
    button(tab, "Cancel").click()
    expect(tab.get_by_text("What is done stays")).to_be_visible()
    tab.get_by_test_id("stMain").get_by_role("button", name="Continue").first.click()
    moved = tab.get_by_text("is an index of compact now")
    expect(moved).to_be_visible(timeout=120_000)
    expect(moved).to_contain_text(f"{SOME} images")

    ask(other, "blue")
    expect(other.locator('img[alt^="Result "]').first).to_be_visible()
    expect(other.get_by_test_id("stAlert")).to_have_count(0)
    other.context.close()
    drop(tab, "moving")


def require_locked(tab: Page) -> None:
    """Fail unless the page shows the list and nothing that changes it."""
    expect(tab.get_by_test_id("stDataFrame").first).to_be_visible()
    main = tab.get_by_test_id("stMain")
    for role in ("textbox", "combobox", "radio", "checkbox"):
        assert main.get_by_role(role).count() == 0
    for word in ("Build", "Update", "Drop", "Cancel", "Upload"):
        assert main.get_by_role("button", name=word).count() == 0


def test_a_read_only_server_shows_the_list_alone(
    browser: Browser, data_dir: Path, tmp_path: Path
) -> None:
    with running_app(data_dir, tmp_path / "log", {**ENV, "CIR_READ_ONLY": "1"}) as address:
        tab = open_page(browser, address)
        expect(tab.get_by_text("This Recompose is read-only")).to_be_visible()
        require_locked(tab)
        tab.context.close()


def test_the_admin_password_unlocks_the_page(
    browser: Browser, data_dir: Path, tmp_path: Path
) -> None:
    env = {**ENV, "CIR_ADMIN_PASSWORD": "sesame"}
    with running_app(data_dir, tmp_path / "log", env) as address:
        tab = open_page(browser, address)
        expect(tab.get_by_text("unlock this page")).to_be_visible()
        require_locked(tab)
        tab.get_by_test_id("stSidebar").get_by_text("Manage", exact=True).click()
        for attempt in ("wrong", "sesame"):
            textbox(tab, "Admin password").fill(attempt)
            tab.get_by_role("button", name="Unlock").click()
            if attempt == "wrong":
                expect(tab.get_by_text("This is not the password")).to_be_visible()
        expect(button(tab, "Build the index")).to_be_visible()
        tab.get_by_role("button", name="Lock", exact=True).click()
        expect(button(tab, "Build the index")).to_have_count(0)
        tab.context.close()

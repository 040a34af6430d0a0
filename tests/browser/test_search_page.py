"""What a person does on the search page, in a real browser."""

import os
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.browser.app import choose, running_app, settle
from tests.places import REPOSITORY

RESULTS = 'img[alt^="Result "]'
NAME = "red *shirt* plain.png"


def ask(page: Page, instruction: str) -> None:
    box = page.get_by_role("textbox", name="Instruction")
    box.fill(instruction)
    box.press("Enter")


def test_an_upload_and_an_instruction_show_other_images(page: Page, pictures: Path) -> None:
    page.locator('input[type="file"]').set_input_files(pictures / NAME)
    page.get_by_role("textbox", name="Instruction").fill("in blue")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_alt_text(f"Reference image: {NAME}")).to_be_visible()
    # The uploaded picture is in the index; by its content it is known and left out.
    expect(page.locator(RESULTS)).to_have_count(11)
    assert page.locator(f'img[alt$=": {NAME}"][alt^="Result"]').count() == 0


def test_a_text_alone_finds_images_and_stands_in_the_address(page: Page) -> None:
    ask(page, "a green shirt")
    expect(page.locator(RESULTS)).to_have_count(12)
    assert "instruction=a+green+shirt" in page.url.replace("%20", "+")
    assert "index=shirts" in page.url
    page.reload()
    expect(page.locator(RESULTS)).to_have_count(12)


def test_an_indexed_image_as_reference_stands_in_the_address(page: Page, browser: Browser) -> None:
    page.get_by_role("button", name="Search with this").first.click()
    expect(page.locator('img[alt^="Reference image"]')).to_be_visible()
    page.get_by_role("button", name="in red", exact=True).click()
    page.wait_for_url("**instruction=in+red**")
    expect(page.get_by_text("“in red”")).to_be_visible()
    settle(page)
    expect(page.locator(RESULTS)).to_have_count(11)
    first = page.locator(RESULTS).first.get_attribute("alt")
    other = browser.new_page()
    other.goto(page.url)
    expect(other.locator(RESULTS)).to_have_count(11)
    settle(other)
    assert other.locator(RESULTS).first.get_attribute("alt") == first
    other.close()
    page.get_by_role("button", name="Remove the reference").click()
    expect(page.locator(RESULTS)).to_have_count(12)


def test_a_filter_narrows_the_results_and_stands_in_the_address(page: Page) -> None:
    ask(page, "shirt")
    expect(page.locator(RESULTS)).to_have_count(12)
    settle(page)
    page.get_by_text("Filters and number of results").click()
    choose(page, "Filters", "colour=red")
    expect(page.locator(RESULTS)).to_have_count(2)
    assert "where=colour" in page.url
    page.reload()
    expect(page.locator(RESULTS)).to_have_count(2)


def test_a_wrong_filter_is_one_sentence(page: Page, app: str) -> None:
    page.goto(f"{app}/?index=shirts&instruction=shirt&where=price%3C10")
    expect(page.get_by_text('There is no column "price"')).to_be_visible()
    assert page.get_by_text("Traceback").count() == 0


def test_file_names_are_shown_as_they_are(page: Page) -> None:
    ask(page, "shirt")
    expect(page.get_by_text(NAME).first).to_be_visible()


def test_a_broken_upload_is_one_sentence(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_text("no picture")
    page.locator('input[type="file"]').set_input_files(broken)
    expect(page.get_by_text("is not an image of a known format")).to_be_visible()
    assert page.get_by_text("Traceback").count() == 0


def test_all_three_pages_open(page: Page) -> None:
    page.get_by_role("link", name="Indexes").click()
    expect(page.get_by_role("heading", name="Indexes")).to_be_visible()
    page.get_by_role("link", name="Metrics").click()
    expect(page.get_by_role("heading", name="Metrics", exact=True)).to_be_visible()


def test_the_command_line_indexes_while_the_app_is_open(
    page: Page, data_dir: Path, pictures: Path
) -> None:
    ask(page, "shirt")
    expect(page.locator(RESULTS)).to_have_count(12)
    done = subprocess.run(
        [sys.executable, "-m", "cir", "index", str(pictures), "--name", "shirts too"],
        cwd=REPOSITORY,
        env={**os.environ, "CIR_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    page.reload()
    expect(page.locator(RESULTS)).to_have_count(12)


def test_the_first_visit_leads_to_a_first_result(browser: Browser, tmp_path: Path) -> None:
    with running_app(tmp_path / "data", tmp_path / "log") as address:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(address)
        page.get_by_role("button", name="Build the sample catalogue").click()
        page.get_by_role("button", name="Search with this").first.click()
        page.get_by_role("button", name="in red", exact=True).click()
        expect(page.locator(RESULTS)).to_have_count(24)
        page.close()

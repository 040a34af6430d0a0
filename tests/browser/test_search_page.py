"""What a person does on the search page, in a real browser."""

import os
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.app import ROOT

RESULTS = 'img[alt^="Result "]'


def test_an_upload_and_an_instruction_show_other_images(page: Page, pictures: Path) -> None:
    page.locator('input[type="file"]').set_input_files(pictures / "red *shirt* plain.png")
    page.get_by_role("textbox", name="Instruction").fill("in blue")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_alt_text("The reference image")).to_be_visible()
    # The uploaded picture is in the index; by its content it is known and left out.
    expect(page.locator(RESULTS)).to_have_count(11)
    assert page.get_by_alt_text("red *shirt* plain.png").count() == 0


def test_a_text_alone_finds_images_and_stands_in_the_address(page: Page) -> None:
    page.get_by_role("textbox", name="Instruction").fill("a green shirt")
    page.get_by_role("textbox", name="Instruction").press("Enter")
    expect(page.locator(RESULTS)).to_have_count(12)
    assert "instruction=a+green+shirt" in page.url.replace("%20", "+")
    page.reload()
    expect(page.locator(RESULTS)).to_have_count(12)


def test_file_names_are_shown_as_they_are(page: Page) -> None:
    page.get_by_role("textbox", name="Instruction").fill("shirt")
    page.get_by_role("textbox", name="Instruction").press("Enter")
    expect(page.get_by_text("red *shirt* plain.png").first).to_be_visible()


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
    expect(page.get_by_role("heading", name="Metrics")).to_be_visible()
    expect(page.get_by_text("There is no run yet.")).to_be_visible()


def test_the_command_line_indexes_while_the_app_is_open(
    page: Page, data_dir: Path, pictures: Path
) -> None:
    page.get_by_role("textbox", name="Instruction").fill("shirt")
    page.get_by_role("textbox", name="Instruction").press("Enter")
    expect(page.locator(RESULTS)).to_have_count(12)
    done = subprocess.run(
        [sys.executable, "-m", "cir", "index", str(pictures), "--name", "second"],
        cwd=ROOT,
        env={**os.environ, "CIR_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    page.reload()
    expect(page.locator(RESULTS)).to_have_count(12)

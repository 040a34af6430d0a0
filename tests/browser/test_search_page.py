"""What a person does on the search page, in a real browser."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.app import ask, bar, running_app, settle
from tests.places import REPOSITORY

RESULTS = '.st-key-results img[alt^="Result "]'
NAME = "red *shirt* plain.png"
# A picture on the clipboard, as Chromium hands it to a page.
PASTE = """([element, name, content]) => {
  const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, {type: "image/png"}));
  element.dispatchEvent(new ClipboardEvent("paste",
    {clipboardData: data, bubbles: true, cancelable: true}));
}"""


def chip(page: Page, words: str) -> Locator:
    return page.locator(".st-key-asked").get_by_role("button", name=words)


def reference(page: Page) -> Locator:
    return page.locator('.st-key-asked img[alt^="Reference image"]')


def test_an_upload_and_an_instruction_show_other_images(page: Page, pictures: Path) -> None:
    ask(page, "in blue", pictures / NAME)
    expect(page.get_by_alt_text(f"Reference image: {NAME}")).to_be_visible()
    # The uploaded picture is in the index; by its content it is known and left out.
    expect(page.locator(RESULTS)).to_have_count(11)
    assert page.locator(f'img[alt$=": {NAME}"][alt^="Result"]').count() == 0


def test_a_pasted_picture_stays_while_the_sentence_changes(page: Page, pictures: Path) -> None:
    content = base64.b64encode((pictures / NAME).read_bytes()).decode()
    bar(page).evaluate(
        f"(element, given) => ({PASTE})([element, ...given])", ["pasted.png", content]
    )
    expect(page.get_by_test_id("stChatInput").get_by_text("pasted.png")).to_be_visible()
    expect(page.get_by_test_id("stChatInputSubmitButton")).to_be_enabled()
    bar(page).fill("in blue")
    bar(page).press("Enter")
    expect(page.locator(RESULTS)).to_have_count(11)
    expect(chip(page, "“in blue”")).to_be_visible()
    ask(page, "in green")
    expect(chip(page, "“in green”")).to_be_visible()
    expect(chip(page, "“in blue”")).to_have_count(0)
    expect(reference(page)).to_be_visible()


def test_an_upload_survives_another_page_and_a_reload_but_does_not_travel(
    page: Page, browser: Browser, pictures: Path
) -> None:
    ask(page, "in blue", pictures / NAME)
    expect(page.locator(RESULTS)).to_have_count(11)
    page.get_by_role("link", name="Indexes").click()
    expect(page.get_by_role("heading", name="Indexes")).to_be_visible()
    page.get_by_role("link", name="Search").click()
    expect(page.locator(RESULTS)).to_have_count(11)
    expect(reference(page)).to_be_visible()
    page.reload()
    expect(page.locator(RESULTS)).to_have_count(11)
    expect(reference(page)).to_be_visible()
    other = browser.new_context().new_page()
    other.goto(page.url)
    expect(other.get_by_text("uploaded in another browser")).to_be_visible()
    assert other.locator(RESULTS).count() == 0
    other.context.close()


def test_a_text_alone_finds_images_and_stands_in_the_address(page: Page) -> None:
    ask(page, "a green shirt")
    expect(page.locator(RESULTS)).to_have_count(12)
    assert "instruction=a+green+shirt" in page.url.replace("%20", "+")
    assert "index=shirts" in page.url
    page.reload()
    expect(page.locator(RESULTS)).to_have_count(12)
    expect(page).to_have_title("Recompose")


def test_an_indexed_image_as_reference_stands_in_the_address(page: Page, browser: Browser) -> None:
    page.get_by_role("button", name="Search with this").first.click()
    expect(reference(page)).to_be_visible()
    ask(page, "in red")
    page.wait_for_url("**instruction=in+red**")
    expect(chip(page, "“in red”")).to_be_visible()
    settle(page)
    expect(page.locator(RESULTS)).to_have_count(11)
    first = page.locator(RESULTS).first.get_attribute("alt")
    other = browser.new_page()
    other.goto(page.url)
    expect(other.locator(RESULTS)).to_have_count(11)
    settle(other)
    assert other.locator(RESULTS).first.get_attribute("alt") == first
    other.close()
    page.locator('[class*="st-key-chip-ref"]').get_by_role("button").click()
    expect(page.locator(RESULTS)).to_have_count(12)
    chip(page, "“in red”").click()
    expect(page.locator(RESULTS)).to_have_count(0)
    expect(page.get_by_text("Paste a picture, or press")).to_be_visible()


def test_steps_go_back_one_by_one_by_undo_and_by_the_browser(page: Page) -> None:
    ask(page, "a shirt")
    expect(page.locator(RESULTS)).to_have_count(12)
    page.get_by_role("button", name="Search with this").nth(2).click()
    expect(page.locator(RESULTS)).to_have_count(11)
    ask(page, "in blue")
    expect(chip(page, "“in blue”")).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Undo").click()
    expect(chip(page, "“a shirt”")).to_be_visible()
    expect(reference(page)).to_be_visible()
    settle(page)
    page.get_by_role("button", name="Undo").click()
    expect(reference(page)).to_have_count(0)
    expect(page.locator(RESULTS)).to_have_count(12)
    settle(page)
    page.go_back()
    expect(reference(page)).to_be_visible()
    page.go_back()
    expect(chip(page, "“in blue”")).to_be_visible()
    page.go_back()
    page.go_back()
    expect(reference(page)).to_have_count(0)
    page.go_back()
    expect(page.locator(RESULTS)).to_have_count(0)
    page.go_forward()
    expect(chip(page, "“a shirt”")).to_be_visible()


def test_a_hand_of_a_result_brings_the_reader_to_the_top_with_the_focus_in_the_bar(
    page: Page,
) -> None:
    ask(page, "a shirt")
    expect(page.locator(RESULTS)).to_have_count(12)
    for _ in range(2):
        settle(page)
        page.get_by_role("button", name="Search with this").last.scroll_into_view_if_needed()
        assert page.get_by_test_id("stMain").evaluate("main => main.scrollTop") > 0
        page.get_by_role("button", name="Search with this").last.click()
        expect(bar(page)).to_be_focused()
        expect(bar(page)).to_be_in_viewport()


@pytest.mark.parametrize(("width", "height", "most"), [(1280, 900, 300), (390, 844, 420)])
def test_the_first_row_of_pictures_is_whole_on_the_first_screen(
    page: Page, width: int, height: int, most: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.get_by_role("button", name="Search with this").first.click()
    expect(reference(page)).to_be_visible()
    ask(page, "in a somewhat darker red")
    expect(chip(page, "darker red")).to_be_visible()
    settle(page)
    expect(page.get_by_role("button", name="Refine")).to_be_visible()
    box = page.locator(RESULTS).first.bounding_box()
    assert box is not None
    assert box["y"] < most
    assert box["y"] + box["height"] < height
    expect(page.locator(".st-key-heading").get_by_text("shirts")).to_be_in_viewport()


def test_what_refines_waits_behind_one_button(page: Page) -> None:
    ask(page, "shirt")
    expect(page.locator(RESULTS)).to_have_count(12)
    settle(page)
    assert page.get_by_text("Less of").count() == 0
    page.get_by_role("button", name="Refine").press("Enter")
    page.get_by_role("textbox", name="Less of").fill("stripes")
    page.get_by_role("textbox", name="Less of").press("Enter")
    expect(chip(page, "less “stripes”")).to_be_visible()
    assert "less=stripes" in page.url
    page.get_by_role("textbox", name="Less of").fill("red")
    page.get_by_role("textbox", name="Less of").press("Enter")
    expect(chip(page, "less “red”")).to_be_visible()
    page.keyboard.press("Escape")
    chip(page, "less “stripes”").click()
    expect(chip(page, "less “stripes”")).to_have_count(0)
    expect(chip(page, "less “red”")).to_be_visible()


def test_a_search_is_steered_three_times_and_undone_step_by_step(page: Page) -> None:
    page.get_by_role("button", name="Search with this").first.click()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    ask(page, "in blue")
    settle(page)
    page.get_by_role("button", name="Refine").click()
    page.get_by_role("slider", name="Balance").press("ArrowLeft")
    chips = page.locator(".st-key-asked")
    expect(chips.get_by_role("button", name="balance 0.45")).to_be_visible()
    settle(page)
    less = page.get_by_role("textbox", name="Less of")
    less.fill("stripes")
    less.press("Enter")
    expect(chips.get_by_role("button", name="less “stripes”")).to_be_visible()
    settle(page)
    page.get_by_role("tab", name="Results").click()
    page.get_by_text("Fold near-duplicates", exact=True).click()
    expect(chips.get_by_role("button", name="near-duplicates folded")).to_be_visible()
    settle(page)
    page.keyboard.press("Escape")
    for gone in ("near-duplicates folded", "less “stripes”", "balance 0.45"):
        page.get_by_role("button", name="Undo").click()
        expect(chips.get_by_role("button", name=gone)).to_have_count(0)
        settle(page)
    expect(page.get_by_role("button", name="“in blue”")).to_be_visible()


def test_the_part_that_counts_is_drawn_or_set_by_keys(page: Page) -> None:
    page.get_by_role("button", name="Search with this").first.click()
    expect(page.locator(RESULTS)).to_have_count(11)
    settle(page)
    page.get_by_role("button", name="Refine").click()
    page.get_by_role("tab", name="Picture").click()
    area = page.locator(".frame").bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + area["width"] * 0.25, area["y"] + area["height"] * 0.1)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.75, area["y"] + area["height"] * 0.6, steps=4)
    page.mouse.up()
    page.wait_for_url("**crop=0.25%2C0.10%2C0.75%2C0.60**")
    expect(chip(page, "cropped")).to_be_visible()
    settle(page)
    page.get_by_role("slider", name="From left to right").first.press("ArrowRight")
    page.wait_for_url("**crop=0.26%2C0.10%2C0.75%2C0.60**")
    page.get_by_role("button", name="Whole picture").click()
    expect(chip(page, "cropped")).to_have_count(0)
    expect(page.locator(RESULTS)).to_have_count(11)


def test_an_old_link_with_a_filter_narrows_the_results(page: Page, app: str) -> None:
    page.goto(f"{app}/?index=shirts&instruction=shirt&where=colour%3Dred&limit=12")
    expect(page.locator(RESULTS)).to_have_count(2)
    chip(page, "colour=red").click()
    expect(page.locator(RESULTS)).to_have_count(12)


def test_a_link_to_an_index_that_is_not_there_says_so(page: Page, app: str) -> None:
    page.goto(f"{app}/?index=Nope&instruction=shirt")
    expect(page.get_by_text("There is no index “Nope” here")).to_be_visible()
    expect(page.locator(RESULTS)).to_have_count(12)


def test_a_wrong_filter_is_one_sentence(page: Page, app: str) -> None:
    page.goto(f"{app}/?index=shirts&instruction=shirt&where=price%3C10")
    expect(page.get_by_text('There is no column "price"')).to_be_visible()
    assert page.get_by_text("Traceback").count() == 0
    chip(page, "price<10").click()
    expect(page.locator(RESULTS)).to_have_count(12)


def test_file_names_are_shown_as_they_are(page: Page) -> None:
    ask(page, "shirt")
    expect(page.get_by_text(NAME).first).to_be_visible()


def test_a_broken_upload_is_one_sentence(page: Page, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_text("no picture")
    ask(page, "in red", broken)
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
        ask(page, "in red")
        expect(page.locator(RESULTS)).to_have_count(24)
        page.close()

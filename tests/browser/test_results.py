"""What a person does with results, in a real browser."""

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.app import ask, settle

RESULTS = '.st-key-results img[alt^="Result "]'


@pytest.fixture
def found(page: Page) -> Page:
    """The page with what a text finds."""
    ask(page, "a shirt")
    expect(page.locator(RESULTS)).to_have_count(12)
    settle(page)
    return page


def titles(page: Page) -> Locator:
    return page.locator('.st-key-results [class*="st-key-open-"] button')


def open_menu(page: Page) -> None:
    page.get_by_role("button", name="What to do with the results").press("Enter")
    expect(page.get_by_text("Choose results", exact=True)).to_be_visible()


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def test_the_whole_card_opens_a_larger_view_with_neighbours_and_keys(found: Page) -> None:
    box = found.locator(RESULTS).nth(1).bounding_box()
    assert box is not None
    found.mouse.click(box["x"] + 30, box["y"] + 30)
    expect(dialog(found).get_by_text("2 of 12")).to_be_visible()
    expect(dialog(found).locator('img[alt^="Larger"]')).to_be_visible()
    expect(dialog(found).get_by_text("to the sentence alone")).to_be_visible()
    expect(dialog(found).get_by_role("rowheader", name="colour")).to_be_visible()
    found.keyboard.press("ArrowRight")
    expect(dialog(found).get_by_text("3 of 12")).to_be_visible()
    settle(found)
    found.keyboard.press("ArrowLeft")
    expect(dialog(found).get_by_text("2 of 12")).to_be_visible()
    settle(found)
    before = dialog(found).locator('img[alt^="Larger"]').get_attribute("alt")
    dialog(found).locator('[class*="st-key-open-near"] button').first.press("Enter")
    expect(dialog(found).locator(f'img[alt="{before}"]')).to_have_count(0)
    settle(found)
    dialog(found).get_by_role("button", name="Search with this").press("Enter")
    expect(dialog(found)).to_have_count(0)
    expect(found.locator(RESULTS)).to_have_count(11)
    assert "ref=" in found.url


def test_more_and_less_like_a_result(found: Page) -> None:
    for label, parameter in (("More like this", "ref="), ("Less like this", "less_image=")):
        found.get_by_role("button", name="More", exact=True).first.press("Enter")
        found.get_by_role("menuitem", name=label).click()
        found.wait_for_url(f"**{parameter}**")
        settle(found)
    expect(found.locator('.st-key-asked img[alt^="Less like"]')).to_be_visible()


def test_results_are_taken_away_in_every_form(found: Page, tmp_path: Path) -> None:
    open_menu(found)
    found.get_by_role("button", name="Take away").click()
    expect(dialog(found).get_by_text("python -m cir search")).to_be_visible()
    expect(dialog(found).get_by_text("index.search(")).to_be_visible()
    files = {}
    for label in ("CSV", "JSON", "Images (zip)", "Contact sheet (PNG)"):
        with found.expect_download() as download:
            dialog(found).get_by_role("button", name=label).click()
        name = download.value.suggested_filename
        download.value.save_as(tmp_path / name)
        files[name] = (tmp_path / name).read_bytes()
    table = list(csv.DictReader(io.StringIO(files["results.csv"].decode())))
    paths = [row["path"] for row in table]
    assert len(paths) == 12
    assert [hit["path"] for hit in json.loads(files["results.json"])["hits"]] == paths
    with zipfile.ZipFile(io.BytesIO(files["results.zip"])) as archive:
        assert len(archive.namelist()) == 13
    assert Image.open(io.BytesIO(files["results.png"])).format == "PNG"


def test_chosen_results_alone_are_taken_away(found: Page) -> None:
    open_menu(found)
    found.get_by_text("Choose results", exact=True).click()
    found.keyboard.press("Escape")
    for rank in (2, 5):
        found.get_by_text(f"Take result {rank}", exact=True).click()
        settle(found)
    open_menu(found)
    found.get_by_role("button", name="Take away").click()
    expect(dialog(found).get_by_text("2 chosen.")).to_be_visible()
    with found.expect_download() as download:
        dialog(found).get_by_role("button", name="CSV").click()
    table = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [row["rank"] for row in table] == ["2", "5"]


def test_ways_stand_side_by_side_and_in_the_address(found: Page) -> None:
    found.get_by_role("button", name="Search with this").first.click()
    expect(found.locator(RESULTS)).to_have_count(11)
    ask(found, "in blue")
    settle(found)
    open_menu(found)
    found.get_by_text("Side by side", exact=True).click()
    for way in ("Image only", "Sentence only", "Sum", "Composed"):
        expect(found.get_by_text(way, exact=True)).to_be_visible()
    expect(found.locator(RESULTS)).to_have_count(32)
    assert "ways=true" in found.url


def test_pictures_have_sizes(found: Page) -> None:
    medium = found.locator(RESULTS).first.bounding_box()
    open_menu(found)
    found.get_by_role("radio", name="Large").click()
    found.wait_for_url("**size=large**")
    settle(found)
    large = found.locator(RESULTS).first.bounding_box()
    assert medium is not None and large is not None
    assert large["width"] > medium["width"]


def test_examples_ask(page: Page) -> None:
    page.get_by_role("button", name="Search with this").first.click()
    expect(page.locator(RESULTS)).to_have_count(11)
    example = page.locator(".st-key-examples").get_by_role("button").first
    words = example.inner_text()
    example.click()
    expect(page.locator(".st-key-asked").get_by_role("button", name=f"“{words}”")).to_be_visible()
    expect(page.locator(".st-key-examples")).to_have_count(0)

"""What a person does to see a part of the images only."""

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.app import ask, settle


def results(page: Page) -> Locator:
    return page.locator('.st-key-results img[alt^="Result "]')


def tick(page: Page, choice: str) -> None:
    """Tick a choice, and wait for the answer."""
    page.locator(".st-key-facets").get_by_role("button", name=choice, exact=True).click()
    settle(page)


def test_two_values_of_a_column_are_joined_by_or_and_cleared_at_once(page: Page) -> None:
    ask(page, "a shirt")
    expect(results(page)).to_have_count(12)
    page.get_by_role("button", name="Refine").click()
    page.get_by_role("tab", name="Filters").click()
    tick(page, "red (2)")
    expect(results(page)).to_have_count(2)
    tick(page, "blue (2)")
    expect(results(page)).to_have_count(4)
    names = [shown.get_attribute("alt") or "" for shown in results(page).all()]
    assert all(re.search("red|blue", name) for name in names), names
    expect(page).to_have_url(re.compile(r"where=colour(\+|%20)in(\+|%20)red%2C(\+|%20)blue"))
    tick(page, "yes (2)")  # stripes, counted among the red and the blue
    expect(results(page)).to_have_count(2)
    page.get_by_role("button", name="Clear filters").click()
    expect(results(page)).to_have_count(12)
    expect(page).not_to_have_url(re.compile("where="))


def test_a_condition_is_typed_as_its_example_shows(page: Page) -> None:
    ask(page, "a shirt")
    page.get_by_role("button", name="Refine").click()
    page.get_by_role("tab", name="Filters").click()
    field = page.get_by_role("textbox", name="Condition")
    expect(field).to_have_attribute("placeholder", re.compile("^colour in "))
    field.fill("colour is red")
    field.press("Enter")
    expect(page.get_by_text("is not a condition")).to_be_visible()
    field.fill('colour in "red", black, green')
    field.press("Enter")
    expect(results(page)).to_have_count(6)
    expect(field).to_have_value("")

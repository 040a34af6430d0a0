"""Axe finds nothing serious in any state of any page, in both themes and both widths.

A state is a name and a function that brings a tab from a fresh page to it.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.app import ask, running_app, settle

WIDTHS: dict[str, ViewportSize] = {
    "desktop": {"width": 1280, "height": 900},
    "phone": {"width": 390, "height": 844},
}
# The backgrounds in .streamlit/config.toml.
GROUNDS: dict[Literal["light", "dark"], str] = {
    "light": "rgb(253, 252, 250)",
    "dark": "rgb(21, 25, 26)",
}
# Colours that change by and by are none that anybody reads.
STILL = "*, ::before, ::after { transition: none !important; }"
# A part that opens moves what is below it until it is open; spinners have no end.
AT_REST = """() => document.getAnimations().every(
    each => each.playState !== "running" || each.effect.getTiming().iterations === Infinity
)"""
GRAVE = {"serious", "critical"}
RESULTS = '.st-key-results img[alt^="Result "]'
# What WCAG asks for at levels A and AA.
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
}


def open_page(tab: Page, address: str, path: str, heading: str) -> None:
    tab.goto(f"{address}/{path}")
    expect(tab.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    settle(tab)


def search_empty(tab: Page, app: str) -> None:
    open_page(tab, app, "?index=shirts", "Search")
    expect(tab.get_by_role("button", name="Search with this")).to_have_count(12)


def search_results(tab: Page, app: str) -> None:
    open_page(tab, app, "?index=shirts&instruction=a+green+shirt", "Search")
    expect(tab.locator(RESULTS)).to_have_count(12)


def search_reference(tab: Page, app: str) -> None:
    search_empty(tab, app)
    tab.get_by_role("button", name="Search with this").first.click()
    expect(tab.locator(RESULTS)).to_have_count(11)


def search_refined(tab: Page, app: str, part: str) -> None:
    """All kinds of chips, the steps, and a part of what refines."""
    reference = hashlib.sha256(b"red *shirt* plain.png").hexdigest()[:32]
    options = f"ref={reference}&balance=0.4&less=stripes&where=stripes%3Dtrue&threshold=-0.5"
    open_page(tab, app, f"?index=shirts&instruction=shirt&{options}", "Search")
    expect(tab.locator(RESULTS).first).to_be_visible()
    ask(tab, "a blue shirt")
    expect(tab.get_by_role("button", name="Undo")).to_be_visible()
    tab.get_by_role("button", name="Refine").click()
    tab.get_by_role("tab", name=part).click()
    expect(tab.get_by_role("tabpanel")).not_to_be_empty()


def search_larger(tab: Page, app: str) -> None:
    search_reference(tab, app)
    ask(tab, "in blue")
    expect(tab.get_by_role("button", name="“in blue”")).to_be_visible()
    settle(tab)
    tab.locator('[class*="st-key-open-"]').get_by_role("button").first.click()
    expect(tab.get_by_role("dialog").get_by_text("Most like this image")).to_be_visible()


def search_card_menu(tab: Page, app: str) -> None:
    search_results(tab, app)
    tab.get_by_role("button", name="More", exact=True).first.click()
    expect(tab.get_by_role("menuitem", name="More like this")).to_be_visible()


def search_menu(tab: Page, app: str) -> None:
    """The menu of the results, with marks and boxes to choose by."""
    search_reference(tab, app)
    ask(tab, "in blue")
    expect(tab.get_by_role("button", name="“in blue”")).to_be_visible()
    settle(tab)
    menu = tab.get_by_role("button", name="What to do with the results")
    expect(menu).to_have_count(1)  # that of before is gone
    menu.click()
    for name in ("Mark targets", "Choose results"):
        tab.get_by_text(name, exact=True).click()
        settle(tab)
    expect(tab.get_by_role("checkbox", name="Target: result 1", exact=True)).to_be_visible()


def search_take_away(tab: Page, app: str) -> None:
    search_results(tab, app)
    tab.get_by_role("button", name="What to do with the results").click()
    tab.get_by_role("button", name="Take away", exact=True).click()
    expect(tab.get_by_role("dialog").get_by_text("In Python")).to_be_visible()


def search_unknown_index(tab: Page, app: str) -> None:
    open_page(tab, app, "?index=Nope", "Search")
    expect(tab.get_by_text("There is no index “Nope” here")).to_be_visible()


def search_nothing(tab: Page, app: str) -> None:
    open_page(tab, app, "?index=shirts&instruction=shirt&where=colour%3Dgrey", "Search")
    expect(tab.get_by_text("No image meets the filters")).to_be_visible()


def search_error(tab: Page, app: str) -> None:
    open_page(tab, app, "?index=shirts&instruction=shirt&where=price%3C10", "Search")
    expect(tab.get_by_text('There is no column "price"')).to_be_visible()


def side_by_side(tab: Page, app: str) -> None:
    search_reference(tab, app)
    open_page(tab, app, f"?{urlsplit(tab.url).query}&instruction=in+blue&ways=true", "Search")
    expect(tab.get_by_text("Composed", exact=True)).to_be_visible()


def indexes(tab: Page, app: str) -> None:
    open_page(tab, app, "indexes", "Indexes")
    tab.get_by_text("Encoders", exact=True).click()


def dropping(tab: Page, app: str) -> None:
    open_page(tab, app, "indexes", "Indexes")
    tab.get_by_role("button", name="Drop").click()
    expect(tab.get_by_role("dialog")).to_be_visible()


def metrics(tab: Page, app: str) -> None:
    open_page(tab, app, "metrics", "Metrics")
    expect(tab.get_by_role("heading", name="Queries")).to_be_visible()
    tab.get_by_text("New run", exact=True).click()
    expect(tab.get_by_role("button", name="Run", exact=True)).to_be_visible()
    tab.get_by_text("Name and note", exact=True).click()
    expect(tab.get_by_role("textbox", name="Note")).to_be_visible()


def deleting(tab: Page, app: str) -> None:
    open_page(tab, app, "metrics", "Metrics")
    tab.get_by_role("button", name="Delete this run").click()
    expect(tab.get_by_role("dialog")).to_be_visible()


State = Callable[[Page, str], None]


def name_of(state: State) -> str:
    """What a state is called in the report of the tests."""
    if isinstance(state, partial):
        return f"{state.func.__name__}-{state.keywords['part']}"
    return state.__name__


STATES: tuple[State, ...] = (
    search_empty,
    search_results,
    search_reference,
    *(partial(search_refined, part=part) for part in ("Query", "Picture", "Filters", "Results")),
    search_larger,
    search_card_menu,
    search_menu,
    search_take_away,
    search_unknown_index,
    search_nothing,
    search_error,
    side_by_side,
    indexes,
    dropping,
    metrics,
    deleting,
)


def welcome(tab: Page, app: str) -> None:
    open_page(tab, app, "", "Search")
    expect(tab.get_by_role("button", name="Build the sample catalogue")).to_be_visible()


def no_index(tab: Page, app: str) -> None:
    open_page(tab, app, "indexes", "Indexes")


def no_run(tab: Page, app: str) -> None:
    open_page(tab, app, "metrics", "Metrics")
    expect(tab.get_by_role("button", name="Run the sample")).to_be_visible()


@pytest.fixture(scope="module")
def empty_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app that holds nothing yet."""
    folder = tmp_path_factory.mktemp("empty")
    with running_app(folder / "data", folder / "log") as address:
        yield address


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One tab for all states: what a browser keeps of the app is fetched once."""
    context = browser.new_context(reduced_motion="reduce")
    tab = context.new_page()
    tab.set_default_timeout(30_000)
    expect.set_options(timeout=20_000)
    yield tab
    context.close()


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("state", STATES, ids=name_of)
def test_axe_finds_nothing_serious(tab: Page, app: str, state: State) -> None:
    require_accessible(tab, app, state)


@pytest.mark.parametrize("state", (welcome, no_index, no_run), ids=name_of)
def test_axe_finds_nothing_serious_before_there_is_anything(
    tab: Page, empty_app: str, state: State
) -> None:
    require_accessible(tab, empty_app, state)


def test_axe_would_find_what_is_pale_or_has_no_name(tab: Page) -> None:
    tab.set_content('<p style="color: #999">pale</p><button></button>')
    rules = [each.partition(":")[0] for each in findings(tab)]
    assert {"color-contrast", "button-name"} <= set(rules)


def require_accessible(tab: Page, app: str, state: State) -> None:
    """Go to the state, and look at it in both widths and both themes."""
    tab.set_viewport_size(WIDTHS["desktop"])
    tab.emulate_media(color_scheme="light")
    state(tab, app)
    settle(tab)
    tab.add_style_tag(content=STILL)
    tab.wait_for_function(AT_REST)
    found = []
    for width, size in WIDTHS.items():
        tab.set_viewport_size(size)
        for scheme, ground in GROUNDS.items():
            tab.emulate_media(color_scheme=scheme)
            expect(tab.get_by_test_id("stApp")).to_have_css("background-color", ground)
            found += [f"{width}, {scheme}: {each}" for each in findings(tab)]
    assert not found, "\n" + "\n".join(found)


def findings(tab: Page) -> list[str]:
    """What axe calls serious or critical, a line for each element."""
    if not tab.evaluate("'axe' in window"):
        tab.evaluate(Axe().axe_script)
    response: dict[str, Any] = tab.evaluate("rules => axe.run(rules)", RULES)
    return [
        f"{each['id']}: {' '.join(map(str, node['target']))} {node['html'][:200]} "
        f"{node['failureSummary'].splitlines()[-1].strip()}"
        for each in response["violations"]
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]

"""Links between README, docs and the rest of the repository lead somewhere."""

import re

import pytest
from PIL import Image

from tests.docs.pages import PAGES, Page
from tests.places import REPOSITORY

MORE = [
    Page(path)
    for path in (
        REPOSITORY / "CONTRIBUTING.md",
        REPOSITORY / "CHANGELOG.md",
        REPOSITORY / "cir" / "encoders" / "compact" / "MODEL_CARD.md",
    )
    if path.is_file()
]


@pytest.mark.parametrize("told", [*PAGES, *MORE], ids=lambda told: told.name)
def test_links_lead_somewhere(told: Page) -> None:
    for link in told.links:
        if re.match(r"https?://|mailto:", link):
            continue
        target, _, anchor = link.partition("#")
        path = told.path.parent / target if target else told.path
        assert path.exists(), f"{told.name}: {link} is not there"
        assert path.resolve().is_relative_to(REPOSITORY)
        if anchor:
            assert anchor in Page(path).anchors, f"{told.name}: {link} has no such heading"
        if path.suffix in {".png", ".jpg"}:
            with Image.open(path) as picture:
                picture.verify()


def test_every_page_is_found_from_the_readme() -> None:
    readme, *others = PAGES
    linked = {(REPOSITORY / link.partition("#")[0]).resolve() for link in readme.links}
    assert [each.name for each in others if each.path not in linked] == []


def test_the_readme_fits_three_screens() -> None:
    assert len(PAGES[0].text.splitlines()) <= 140

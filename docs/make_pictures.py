"""The pictures of the documentation and of the welcome page, over the sample catalogue alone.

`python -m docs.make_pictures` makes all of them, with the Chromium that is installed;
`python -m docs.make_pictures search.webp` one. Its folder of data is made anew in a minute or two,
or named by `--data`, and then kept; the picture of the Indexes page shows that name.
"""

import argparse
import base64
import hashlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.browser.app import CHROMIUM_FLAGS, chromium_path, running_app, settle
from tests.places import REPOSITORY

DOCS = REPOSITORY / "docs"
WELCOME = REPOSITORY / "pages/parts/search/welcome.webp"
INDEX = "Sample catalogue"
REFERENCE = "shirt-blue-polka-dot-long-collar-0123.jpg"
INSTRUCTION = "in red"
TEAL, AMBER, INK = "#12837a", "#f2a33a", "#10302e"


def sample_data(folder: Path) -> None:
    """A data folder with the sample catalogue as an index, and a run of its labelled set."""
    for command in (
        ("-m", "cir", "sample"),
        ("-c", "import eval; eval.run('sample', ablations=True)"),
    ):
        subprocess.run(
            [sys.executable, *command],
            cwd=REPOSITORY,
            env={**os.environ, "CIR_DATA_DIR": str(folder)},
            check=True,
            stdout=subprocess.DEVNULL,
        )


# The welcome page: a picture, a sentence, and what is found. As large as it is shown, twice.


def welcome_picture(data: Path) -> None:
    """The reference, the instruction in a bubble, and the first result that the encoder gives."""
    import cir

    images = data / "sample/images"
    store = cir.Store(str(data / "recompose.db"))
    first = store.open(INDEX).search(image=images / REFERENCE, text=INSTRUCTION, limit=1)[0]
    store.close()
    canvas = Image.new("RGBA", (1120, 360))
    draw = ImageDraw.Draw(canvas)
    _card(canvas, images / REFERENCE, 0)
    _sign(draw, 345, "+")
    draw.rounded_rectangle((410, 110, 710, 250), 60, fill=AMBER)
    draw.polygon([(450, 230), (440, 290), (520, 240)], fill=AMBER)
    font = ImageFont.load_default(58)
    draw.text((560, 178), f"“{INSTRUCTION}”", fill=INK, font=font, anchor="mm")
    _sign(draw, 775, "=")
    _card(canvas, images / first.path, 840)
    canvas.save(WELCOME, quality=82, method=6)


def _card(canvas: Image.Image, file: Path, left: int) -> None:
    """A picture with round corners, 280 wide and as high as the canvas."""
    size = (280, canvas.height)
    with Image.open(file) as picture:
        fitted = ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), 28, fill=255)
    canvas.paste(fitted, (left, 0), mask)


def _sign(draw: ImageDraw.ImageDraw, across: int, sign: str) -> None:
    for shift in (0,) if sign == "+" else (-13, 13):
        draw.line((across - 26, 180 + shift, across + 26, 180 + shift), fill=TEAL, width=11)
    if sign == "+":
        draw.line((across, 154, across, 206), fill=TEAL, width=11)


# The screenshots: what somebody sees who opens the page on a desktop.

DESKTOP = {"width": 1280, "height": 820}
RESULTS = '.st-key-results img[alt^="Result "]'


@contextmanager
def tab(browser: Browser, **size: int) -> Iterator[Page]:
    """A fresh tab in light colours, in which nothing moves by itself."""
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        color_scheme="light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    yield page
    context.close()


def at_rest(page: Page) -> None:
    """Wait until the page has answered, and its pictures and charts are drawn."""
    page.wait_for_timeout(300)  # until the script has begun
    settle(page)
    page.wait_for_function("[...document.images].every(each => each.complete)")
    page.wait_for_timeout(700)


def search_page(page: Page, app: str) -> None:
    """A reference of the catalogue, an instruction, and the results."""
    choose_reference(page, app)
    say(page, INSTRUCTION)
    expect(page.locator(RESULTS).first).to_be_visible()


def indexes_page(page: Page, app: str) -> None:
    """The list of indexes."""
    page.goto(f"{app}/indexes")
    expect(page.get_by_role("heading", name="Change an index")).to_be_visible()


def metrics_page(page: Page, app: str) -> None:
    """The run of the sample's labelled set."""
    page.goto(f"{app}/metrics")
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()


def screenshot(browser: Browser, app: str, name: str) -> None:
    """One page as a picture of 256 colours: a third of the bytes."""
    acts: dict[str, Callable[[Page, str], None]] = {
        "search": search_page,
        "indexes": indexes_page,
        "metrics": metrics_page,
    }
    with tab(browser, **DESKTOP) as page:
        acts[name](page, app)
        at_rest(page)
        picture = Image.open(io.BytesIO(page.screenshot()))
    # A palette would lack the colours of small things, the mark's among them.
    picture.convert("RGB").save(DOCS / f"{name}.png", optimize=True)


# What a person does on the search page, an act each.


def choose_reference(page: Page, app: str) -> None:
    """Make a picture of the catalogue the reference, by its address."""
    page.goto(f"{app}/?index={INDEX.replace(' ', '+')}&ref={image_id(REFERENCE)}")
    expect(page.locator(RESULTS).first).to_be_visible()


def open_search(page: Page, app: str) -> None:
    """The search page before anything is asked."""
    page.goto(f"{app}/?index={INDEX.replace(' ', '+')}")
    expect(bar(page)).to_be_visible()


def bar(page: Page) -> Locator:
    """Where people type."""
    return page.get_by_test_id("stChatInputTextArea")


def say(page: Page, words: str) -> None:
    """Type a sentence, and send it."""
    bar(page).fill(words)
    bar(page).press("Enter")


PASTE = """(field, {name, base64}) => {
  const bytes = Uint8Array.from(atob(base64), each => each.charCodeAt(0));
  const clipboard = new DataTransfer();
  clipboard.items.add(new File([bytes], name, {type: "image/jpeg"}));
  field.focus();
  field.dispatchEvent(
    new ClipboardEvent("paste", {clipboardData: clipboard, bubbles: true, cancelable: true}));
}"""


def paste(page: Page, picture: Path) -> None:
    """Paste a picture into the bar."""
    content = base64.b64encode(picture.read_bytes()).decode()
    bar(page).evaluate(PASTE, {"name": picture.name, "base64": content})
    expect(page.get_by_test_id("stChatInputSubmitButton")).to_be_enabled()


# The animation.

STAGE = {"width": 1180, "height": 760}
POINTER = """([x, y]) => {
  const ring = document.getElementById("pointer") ?? document.body.appendChild(
    Object.assign(document.createElement("div"), {id: "pointer"}));
  ring.style.cssText = `position: fixed; left: ${x - 15}px; top: ${y - 15}px; width: 30px;
    height: 30px; border-radius: 50%; background: #f2a33a88; border: 3px solid #f2a33a;
    z-index: 9999999; pointer-events: none; box-sizing: border-box`;
}"""


class Film:
    """Pictures of a page, each with how long it is shown."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._frames: list[Image.Image] = []
        self._milliseconds: list[int] = []

    def show(self, milliseconds: int) -> None:
        """The page as it is now."""
        picture = Image.open(io.BytesIO(self._page.screenshot())).convert("RGB")
        self._frames.append(picture)
        self._milliseconds.append(milliseconds)

    def click(self, target: Locator) -> None:
        """Show where the pointer goes, then press there."""
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        assert box is not None
        place = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
        self._page.evaluate(POINTER, place)
        self.show(900)
        target.click()
        self._page.evaluate("document.getElementById('pointer').remove()")

    def write(self, file: Path) -> None:
        """All of it as an animation that begins anew."""
        first, *others = self._frames
        first.save(
            file,
            save_all=True,
            append_images=others,
            duration=self._milliseconds,
            loop=0,
            quality=75,
            method=4,
            minimize_size=True,
        )


def animation(browser: Browser, app: str, data: Path) -> None:
    """Paste a picture, type, results, steer."""
    with tab(browser, **STAGE) as page:
        film = Film(page)
        open_search(page, app)
        at_rest(page)
        film.show(1200)
        paste(page, data / "sample/images" / REFERENCE)
        at_rest(page)
        film.show(900)
        for end in range(2, len(INSTRUCTION) + 1, 2):
            bar(page).fill(INSTRUCTION[:end])
            film.show(180)
        film.show(600)
        bar(page).press("Enter")
        expect(page.locator(RESULTS).first).to_be_visible()
        at_rest(page)
        film.show(2600)
        for rank, hand in ((3, "More like this"), (4, "Less like this")):
            card = page.locator('[class*="st-key-card-"]').nth(rank - 1)
            film.click(card.get_by_role("button", name="More", exact=True))
            film.click(page.get_by_role("menuitem", name=hand))
            at_rest(page)
            film.show(2600)
        film.write(DOCS / "search.webp")


def image_id(path: str) -> str:
    """The id of an image of the index."""
    return hashlib.sha256(path.encode()).hexdigest()[:32]


def make(names: Sequence[str], data: Path) -> None:
    """Make these pictures, over the data of this folder."""
    if not (data / "recompose.db").exists():
        sample_data(data)
    if WELCOME.name in names:
        welcome_picture(data)
    rest = [name for name in names if name != WELCOME.name]
    if not rest:
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(data, Path(folder) / "log") as app,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
        for name in rest:
            if name == "search.webp":
                animation(browser, app, data)
            else:
                screenshot(browser, app, name.removesuffix(".png"))
        browser.close()


NAMES = (WELCOME.name, "search.png", "indexes.png", "metrics.png", "search.webp")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--data", type=Path, help="folder of the sample's data, made if need be")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"no picture {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    with tempfile.TemporaryDirectory() as folder:
        make(arguments.names or NAMES, arguments.data or Path(folder))


if __name__ == "__main__":
    main()

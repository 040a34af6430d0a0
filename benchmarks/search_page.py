"""How long does the search page take, in an index of 20,000 images?

    python -m benchmarks.search_page [ROUNDS]

Makes an index of drawn pictures in a Lite file, asks the library as the page does, then starts the
app and asks it through Chromium. Prints medians and the slowest of the rounds, warm: of the
library from the query to hits and thumbnails; of the page from Enter, or from the press on a
control, until every picture of the answer is drawn.
"""

import io
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from playwright.sync_api import Page, sync_playwright

import cir
from cir.encoders.compact.encoder import CompactEncoder
from cir.store import ColumnType
from tests.browser.app import CHROMIUM_FLAGS, chromium_path, running_app, settle

IMAGES = 20_000
DRAWN = 240  # different pictures; the rows are these with a little noise in their embeddings
NOISE = 0.15
GROUP = 2_000
SHOWN = 24
ROUNDS = 15
NAME = "benchmark"
COLOURS = ("red", "green", "blue", "black", "orange", "purple", "pink", "brown")
SHAPES = ("rectangle", "ellipse", "rounded_rectangle")
COLUMNS: dict[str, ColumnType] = {
    "name": "string",
    "colour": "string",
    "shape": "string",
    "year": "integer",
}
ASKED = ("a {} dress", "{} shoes for women", "in {}", "a striped {} shirt", "{} and plain")
RESULTS = '.st-key-results img[alt^="Result "]'
BOX = "stChatInputTextArea"
WAIT_MS = 8_000
REST_SECONDS = 0.4  # between rounds, as for a person who looks

# The clock starts with the event itself, in the browser, and stops with the frame in which all
# pictures of another answer are drawn.
CLOCK = """() => {
  const start = () => {
    if (window.armed) { window.begun = performance.now(); window.armed = false; }
  };
  addEventListener('keydown', (event) => {
    if (event.key === 'Enter' || event.key.startsWith('Arrow')) start();
  }, true);
  addEventListener('pointerdown', start, true);
}"""
SEEN = """(selector) =>
  [...document.querySelectorAll(selector)].map((each) => each.alt).join('|')"""
DONE = """([selector, before]) => {
  const found = [...document.querySelectorAll(selector)];
  const seen = found.map((each) => each.alt).join('|');
  const drawn = found.every((each) => each.complete && each.naturalWidth > 0);
  return found.length && seen !== before && drawn && window.begun
    ? performance.now() - window.begun : false;
}"""


def main() -> None:
    """Run the comparison."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        reference = _make_index(data)
        print("| what | median | slowest |\n|---|---|---|")
        score = _ask_library(data, reference, rounds)
        with running_app(data, data / "app.log") as address:
            _ask_page(address, reference, score, rounds)


def _make_index(data: Path) -> str:
    """Fill an index; gives the id of an image."""
    random = np.random.default_rng(0)
    encoder = CompactEncoder()
    pictures, facts = zip(*(_picture(number, random) for number in range(DRAWN)), strict=True)
    vectors = encoder.encode_images(pictures)
    jpegs = [_jpeg(picture) for picture in pictures]
    store = cir.Store(data_dir=data)
    index = store.create(
        NAME,
        encoder=encoder.spec.name,
        fingerprint=encoder.fingerprint,
        dim=encoder.spec.dim,
        columns=COLUMNS,
        exact=True,
    )
    for start in range(0, IMAGES, GROUP):
        rows = []
        for number in range(start, start + GROUP):
            drawn = number % DRAWN
            noise = random.normal(0, NOISE / encoder.spec.dim**0.5, encoder.spec.dim)
            vector = (vectors[drawn] + noise).astype(np.float32)
            path = f"{number:05}.jpg"
            metadata = facts[drawn] | {"year": 2000 + number % 20, "name": f"Garment {number}"}
            record = cir.ImageRecord(
                cir.image_id(path), path, f"{number:032x}", 0, 0, 256, 256, metadata
            )
            rows.append(cir.Row(record, vector / np.linalg.norm(vector), jpegs[drawn]))
        index.upsert(rows)
    index.update(state="ready", count=IMAGES)
    return cir.image_id("00000.jpg")


def _picture(number: int, random: np.random.Generator) -> tuple[Image.Image, dict[str, str]]:
    colour, shape = COLOURS[number % len(COLOURS)], SHAPES[number % len(SHAPES)]
    picture = Image.new("RGB", (256, 256), "white")
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = random.integers([20, 20, 150, 150], [110, 110, 240, 240])
    box = (int(left), int(top), int(right), int(bottom))
    getattr(draw, shape)(box, fill=colour, outline="black", width=int(random.integers(1, 12)))
    return picture, {"colour": colour, "shape": shape.replace("_", " ")}


def _jpeg(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=85)
    return stream.getvalue()


def _texts() -> Iterator[str]:
    """Instructions, each another one than before."""
    number = 0
    while True:
        colour = COLOURS[number % len(COLOURS)]
        yield ASKED[number % len(ASKED)].format(colour) + f" {number}"
        number += 1


def _ask_library(data: Path, reference: str, rounds: int) -> float:
    """Print the library's times; gives a score that half of the results of a page reach."""
    index = cir.Store(data_dir=data).open(NAME)
    texts = _texts()

    def page(text: str, image: str | None = None, **options: Any) -> None:
        hits = index.search(image, text, limit=SHOWN, **options)
        index.thumbnails([hit.id for hit in hits])

    asked: dict[str, Callable[[], object]] = {
        "library: text": lambda: page(next(texts)),
        "library: indexed picture and text": lambda: page(next(texts), reference),
        "library: the same again": lambda: page("in red", reference),
        "library: with a filter": lambda: page("in red", reference, where=["colour in red, blue"]),
        "library: with a threshold": lambda: page("in red", reference, threshold=0.1),
        "library: one a group": lambda: page("in red", reference, group_by="colour"),
        "library: near-duplicates folded": lambda: page("in red", reference, fold=True),
        "library: exact copies once": lambda: page("in red", reference, distinct=True),
        "library: filters with counts": lambda: index.facets(["colour=red"]),
    }
    for what, ask in asked.items():
        times = []
        for number in range(rounds + 2):
            started = time.perf_counter()
            ask()
            if number > 1:  # the first ones warm up
                times.append(1000 * (time.perf_counter() - started))
        _print(what, times)
    return index.search(reference, "in red", limit=SHOWN)[SHOWN // 2].score


def _ask_page(address: str, reference: str, score: float, rounds: int) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(WAIT_MS)
        page.add_init_script(f"({CLOCK})()")
        texts = _texts()

        def enter(number: int) -> None:
            box = page.get_by_test_id(BOX)
            box.fill(next(texts))
            box.press("Enter")

        page.goto(f"{address}/?index={NAME}")
        page.get_by_test_id(BOX).wait_for()
        _measure(page, "page: from Enter to pictures, text", enter, rounds)
        page.goto(f"{address}/?index={NAME}&ref={reference}&instruction=in+red")
        page.locator(RESULTS).first.wait_for()
        _measure(page, "page: from Enter to pictures, indexed picture and text", enter, rounds)
        for what, tab, control in (
            ("filter", "Filters", lambda number: _filter(page, number)),
            ("number of results", "Results", lambda number: _number(page, number)),
            ("least score", "Results", lambda number: _least(page, score, number)),
        ):
            page.goto(f"{address}/?index={NAME}&ref={reference}&instruction=in+red")
            page.locator(RESULTS).first.wait_for()
            page.get_by_role("button", name="Refine").click()
            page.get_by_role("tab", name=tab).click()
            _measure(page, f"page: another {what}", control, rounds)
        browser.close()


def _filter(page: Page, number: int) -> None:
    """Tick a colour that was not asked for, or untick it."""
    colour = re.compile(f"^{COLOURS[1 + number // 2 % 2]} ")
    page.locator(".st-key-facets").get_by_role("button", name=colour).click()


def _number(page: Page, number: int) -> None:
    page.get_by_role("radio", name=("12", "48")[number % 2], exact=True).click()


def _least(page: Page, score: float, number: int) -> None:
    box = page.get_by_role("spinbutton", name="Least score")
    box.fill((f"{score:.4f}", "-1")[number % 2])
    box.press("Enter")


def _measure(page: Page, what: str, act: Callable[..., None], rounds: int) -> None:
    times = []
    for number in range(rounds + 2):
        settle(page)
        time.sleep(REST_SECONDS)
        before = page.evaluate(SEEN, RESULTS)
        page.evaluate("() => { window.begun = 0; window.armed = true; }")
        act(number)
        taken = page.wait_for_function(DONE, arg=[RESULTS, before], polling="raf").json_value()
        if number > 1:
            times.append(float(taken))
    _print(what, times)


def _print(what: str, times: list[float]) -> None:
    print(f"| {what} | {statistics.median(times):.0f} ms | {max(times):.0f} ms |", flush=True)


if __name__ == "__main__":
    main()

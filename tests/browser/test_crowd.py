"""A crowd at one server: searches of sixteen sessions, an ingest and an evaluation, all at once."""

import random
import re
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

import cir
from tests.browser.app import memory_mb, running_app
from tests.browser.stranger import Stranger, stranger
from tests.browser.test_indexes_page import ENV, build_folder, open_page
from tests.browser.test_metrics_page import draw, go_to, run_folders, start
from tests.drawn import checked, save, solid, striped

SESSIONS = 16
SECONDS = 300
MORE_MB = 600  # an ingest and an evaluation each hold batches of pictures
PICTURES = 6000
QUERIES = 1000
TEXTS = ("in red", "in navy blue", "striped", "plain", "green with checks", "yellow", "for women")
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "black", "pink")
LIMIT = 12

Answers = Mapping[tuple[str, str], list[str]]
"""Paths of the results, best first, by index and instruction."""


def make_indexes(data_dir: Path, folder: Path) -> Answers:
    """Four indexes of the same pictures under other names, and what they answer."""
    encoder = cir.load_encoder("compact")
    answers = {}
    settings = cir.load_settings(data_dir=data_dir)
    store = cir.Store(settings=settings)
    for name in ("ada", "bob", "cyd", "dee"):
        for number, drawn in enumerate((solid, striped, checked)):
            for colour in COLOURS:
                save(drawn(colour), folder / name / f"{name}-{colour}{number}.png")
        index = store.index(name, folder / name, encoder=encoder)
        for text in TEXTS:
            hits = index.search(text=text, limit=LIMIT)
            answers[name, text] = [hit.path for hit in hits]
    store.close()
    return answers


def visit(address: str, answers: Answers, until: float, seed: int) -> tuple[list[float], list[str]]:
    """Search until the time is up, in one session after the other.

    Gives the seconds of each search, and what was wrong.
    """
    dice = random.Random(seed)
    seconds, wrong = [], []
    while time.monotonic() < until:
        with stranger(address) as session:
            # A link makes a session; within one the index is what was chosen last.
            name, text = dice.choice(sorted(answers))
            for _ in range(dice.randint(1, 5)):
                asked = time.monotonic()
                found = search(session, name, text)
                seconds.append(time.monotonic() - asked)
                time.sleep(dice.uniform(0, 1))  # as people look at what they see
                if found != answers[name, text]:
                    wrong.append(f"{name}, {text}: {found or session.texts()}")
    return seconds, wrong


def search(session: Stranger, name: str, text: str) -> list[str]:
    """Paths of the results that the page shows for a link."""
    link = {"index": name, "instruction": text, "limit": LIMIT}
    session.run(query=urlencode(link))
    shown = (re.fullmatch(r"Result \d+: (.*)", each) for each in session.pictures())
    return [match[1] for match in shown if match]


@pytest.mark.slow
def test_a_crowd_gets_its_own_answers(browser: Browser, tmp_path: Path) -> None:
    data_dir, many = tmp_path / "data", tmp_path / "many"
    answers = make_indexes(data_dir, tmp_path / "albums")
    many.mkdir()
    for number in range(PICTURES):
        colour = (number % 256, number * 7 % 256, number * 13 % 256)
        Image.new("RGB", (24, 24), colour).save(many / f"{number:04}.bmp")
    log = tmp_path / "log"
    with running_app(data_dir, log, ENV) as address, ThreadPoolExecutor(SESSIONS) as pool:
        visit(address, answers, time.monotonic() + 10, seed=-1)
        before = most = memory_mb(address)
        indexes, metrics = open_page(browser, address), open_page(browser, address)
        go_to(metrics, "Metrics")
        build_folder(indexes, "many", many)
        expect(indexes.get_by_text("Building “many”").last).to_be_visible()
        start(metrics, *draw(tmp_path, 1, images=2 * QUERIES, queries=QUERIES))
        expect(metrics.get_by_text("Evaluating: tiny set")).to_be_visible()
        until = time.monotonic() + SECONDS
        visitors = [pool.submit(visit, address, answers, until, seed) for seed in range(SESSIONS)]
        while time.monotonic() < until:
            time.sleep(2)
            most = max(most, memory_mb(address))
        seen = [visitor.result() for visitor in visitors]
        title = metrics.get_by_role("heading", name="tiny set, encoder compact")
        expect(title).to_be_visible(timeout=300_000)
        expect(indexes.get_by_text(f"{PICTURES:,} added")).to_be_visible(timeout=300_000)
        for tab in (indexes, metrics):
            tab.context.close()
        after = memory_mb(address)
    assert [wrong for _, several in seen for wrong in several] == []
    assert len(run_folders(data_dir)) == 1
    assert "Traceback" not in log.read_text(errors="replace")
    seconds = sorted(each for several, _ in seen for each in several)
    print(
        f"{len(seconds)} searches, half of them in {seconds[len(seconds) // 2]:.2f} s, the longest "
        f"in {seconds[-1]:.1f} s; {before:.0f} MB before, {most:.0f} at most, {after:.0f} after",
        file=sys.stderr,
    )
    assert len(seconds) > SESSIONS
    assert most < before + MORE_MB

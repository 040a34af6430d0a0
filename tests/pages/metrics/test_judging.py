"""Judging what several systems found, and judging again, on the metrics page without a browser."""

from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import eval as bench
from cir.settings import load_settings
from eval.sets.formats.native import load_native
from eval.sets.own import NewQuery, add_query, kept_sets
from tests.pages.metrics.test_page import open_page, words


@pytest.fixture
def kept(data_dir: Path, tmp_path: Path) -> Path:
    """The folder of a kept set "mine" of one query, which has been run."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for colour in ("red", "green", "blue", "black"):
        Image.new("RGB", (40, 60), colour).save(pictures / f"{colour}.png")
    settings = load_settings()
    query = NewQuery("shop", "red.png", "in blue", ("blue.png",), negatives=("green.png",))
    add_query("mine", query, settings)
    bench.run("mine", gallery=pictures)
    return kept_sets(settings.data_dir)["mine"]


def save(app: AppTest) -> None:
    next(each for each in app.button if each.label.startswith("Save: what is ticked")).click().run()
    assert not app.exception


def test_what_a_run_found_is_judged(kept: Path) -> None:
    app = open_page()
    (box,) = [each for each in app.checkbox if each.label.endswith(" is right")]
    box.check()
    save(app)
    assert "q1: 1 of 1 images are right." in words(app)
    assert "Nothing is left to judge." in words(app)
    assert set(load_native(kept).queries[0].targets) == {"blue.png", "black.png"}


def test_a_second_annotator_judges_without_seeing_how_it_was_judged(kept: Path) -> None:
    app = open_page()
    app.radio(key="metrics_judge_task").set_value("As a second annotator").run()
    boxes = [each for each in app.checkbox if each.label.endswith(" is right")]
    assert len(boxes) == 2 and not any(box.value for box in boxes)
    boxes[0].check()
    save(app)
    assert "2 images of 1 queries were judged by both" in words(app)
    assert kept.with_name("mine-second").is_dir()
    assert set(load_native(kept).queries[0].targets) == {"blue.png"}

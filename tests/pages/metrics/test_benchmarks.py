"""Published benchmarks on the metrics page: registered, run, looked at, submitted."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import eval as bench
from cir.settings import load_settings
from eval.sets.catalogue import Place, register
from tests.eval.layouts import (
    CIRR_IMAGES,
    DRESSES,
    circo_records,
    draw_all,
    write_circo,
    write_cirr,
    write_fashioniq,
)
from tests.pages.metrics.test_page import open_page, wait_for_job, words
from tests.pages.metrics.test_queries import images, listed


@pytest.fixture
def cirr(data_dir: Path, tmp_path: Path) -> Place:
    """CIRR, registered with drawn images."""
    root = write_cirr(tmp_path / "annotations")
    names = [f"dev/{name}.png" for name in [*CIRR_IMAGES, "dev-77-0-img0"]]
    place = Place("cirr", "cirr", root, draw_all(tmp_path / "images", names))
    data_dir.mkdir()
    register(place, load_settings())
    return place


def labels(app: AppTest) -> list[str]:
    return [each.proto.label for each in app.get("download_button")]


def test_a_registered_set_is_run_over_its_images_and_submitted(cirr: Place) -> None:
    app = open_page()
    app.selectbox(key="metrics_set").set_value("registered/cirr").run()
    app.button(key="metrics_run").click().run()
    wait_for_job(app)
    assert app.dataframe[0].value["Set"].tolist() == ["cirr"]
    assert "recall_subset@1" in app.table[1].value["Measure"].tolist()
    # The annotations name images by their ids; pictures are there all the same.
    assert sorted(listed(app)) == ["100", "101"]
    assert any(alt.startswith("Reference image: dev/dev-") for alt in images(app))
    app.toggle(key="metrics_submission").set_value(True).run()
    assert {"cirr-recall.json", "cirr-recall_subset.json"} <= set(labels(app))


def test_a_format_has_options_of_its_own(data_dir: Path, tmp_path: Path) -> None:
    root = write_fashioniq(tmp_path / "annotations")
    pictures = draw_all(tmp_path / "images", [f"{name}.jpg" for name in DRESSES])
    data_dir.mkdir()
    register(Place("fashioniq-dress", "fashioniq-dress", root, pictures), load_settings())
    app = open_page()
    assert "Average both orders of the two captions" not in [each.label for each in app.checkbox]
    app.selectbox(key="metrics_set").set_value("registered/fashioniq-dress").run()
    assert "Average both orders of the two captions" in [each.label for each in app.checkbox]
    app.checkbox(key="metrics_option_small_gallery").check().run()
    app.button(key="metrics_run").click().run()
    wait_for_job(app)
    (document,) = (data_dir / "runs").glob("*/run.json")
    settings = json.loads(document.read_text())["settings"]
    assert (settings["small_gallery"], settings["both_orders"]) == (True, False)


def test_a_split_without_targets_has_rankings_and_no_figures(
    data_dir: Path, tmp_path: Path
) -> None:
    root = write_circo(tmp_path / "annotations", circo_records(judged=False), "test")
    pictures = draw_all(tmp_path / "images", [f"{number:012}.jpg" for number in range(52)])
    bench.run(
        bench.load_set("circo", root=root, split="test"), gallery=pictures, allow_missing=True
    )
    app = open_page()
    assert "The targets of this split are not known" in words(app)
    assert "Rankings (TREC)" in labels(app)
    app.toggle(key="metrics_submission").set_value(True).run()
    assert "circo.json" in labels(app)

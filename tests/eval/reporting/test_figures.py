"""Figures as SVG and PNG."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from eval.comparison.curves import Curve
from eval.reporting.figures import COLOURS, costs_png, costs_svg, curves_png, curves_svg

CURVES = {
    "<b>": Curve([0.0, 0.5, 0.5, 1.0], [0.0, 0.4, 0.4, 0.9], [0.1, 0.6, 0.7, 1.0]),
    "other": Curve([0.2, 0.2, 0.3, 0.4]),
}
COSTS = {"a": (2.0, 0.5), "b": (20.0, 0.8), "c": (30.0, 0.7)}


def test_a_curve_is_drawn_on_a_logarithmic_axis() -> None:
    svg = curves_svg(CURVES)
    line = re.search(r'polyline points="([^"]+)"', svg)
    assert line is not None
    places = [tuple(map(float, point.split(","))) for point in line[1].split()]
    (x1, low), (x2, _), _, (x4, high) = places
    assert x2 - x1 == pytest.approx(x4 - x2, abs=0.2)  # from 1 to 2 as far as from 2 to 4
    assert high < low
    assert "&lt;b&gt;" in svg
    assert "<b>" not in svg


def test_an_interval_lies_around_its_line() -> None:
    (band,) = re.findall(r'polygon points="([^"]+)"', curves_svg(CURVES))
    heights = [float(point.split(",")[1]) for point in band.split()]
    assert len(heights) == 8
    assert heights[0] > heights[-1]  # the low end is further down


def test_what_no_other_beats_is_filled() -> None:
    svg = costs_svg(COSTS, "recall@10")
    dots = re.findall(r'<circle [^>]*fill="([^"]+)"', svg)
    assert [dots[2 * place] for place in range(3)] == [COLOURS[0], COLOURS[1], "none"]
    assert "b: 0.800, 20 ms" in svg


def test_a_png_shows_the_same() -> None:
    for png in (curves_png(CURVES), costs_png(COSTS, "recall@10")):
        image = Image.open(io.BytesIO(png)).convert("RGB")
        assert image.width == 1920
        pixels = np.asarray(image).reshape(-1, 3)
        for colour in COLOURS[:2]:
            wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
            assert (pixels == wanted).all(axis=1).sum() > 500

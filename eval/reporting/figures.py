"""Figures for pages and papers that need nothing else: recall curves, quality against cost.

Each is drawn by a pen, which makes an SVG or a PNG of it.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from math import dist, log
from typing import Protocol

from PIL import Image, ImageDraw, ImageFont

from eval.comparison.curves import Curve, undominated

TICKS = (1, 2, 5, 10, 20, 50)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Okabe and Ito's, which most people can tell apart, those that stand out on white and on black."""

DASHES = ((1, 0), (7, 3), (2, 2), (9, 2, 2, 2))
BAND = 0.15
"""Opacity of an interval."""

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _BOTTOM = 52, 12, 44
_ROW = 20  # of the legend
_INK, _SIZE = "#333333", 13
_SCALE = 3  # pixels of a PNG to a unit: some 200 dots an inch in a column of a paper

Point = tuple[float, float]


class Pen(Protocol):
    """Draws on a sheet whose origin is at the top left."""

    def line(self, points: Sequence[Point], colour: str, width: float, dash: Sequence[int]) -> None:
        """A line through points; `dash` as in SVG, (1, 0) for none."""

    def rule(self, start: Point, end: Point) -> None:
        """A pale line of the grid."""

    def area(self, points: Sequence[Point], colour: str) -> None:
        """What lies between points, so pale that lines show."""

    def dot(self, centre: Point, colour: str, *, filled: bool) -> None:
        """A point of a scatter."""

    def words(self, place: Point, words: str, anchor: str) -> None:
        """Text whose baseline begins, has its middle or ends there: "start", "middle", "end"."""


class SvgPen:
    """Text and axes have the colour of the `svg` element, dark unless a page says otherwise."""

    def __init__(self, height: int, label: str) -> None:
        self._parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" color="{_INK}" font-size="{_SIZE}" role="img" '
            f'font-family="system-ui, sans-serif" aria-label="{escape(label)}">'
        ]

    def line(self, points: Sequence[Point], colour: str, width: float, dash: Sequence[int]) -> None:
        """See `Pen`."""
        dashes = f' stroke-dasharray="{" ".join(map(str, dash))}"' if dash[1] else ""
        self._parts.append(
            f'<polyline points="{_joined(points)}" fill="none" stroke="{colour}" '
            f'stroke-width="{width}"{dashes}/>'
        )

    def rule(self, start: Point, end: Point) -> None:
        """See `Pen`."""
        (x1, y1), (x2, y2) = start, end
        self._parts.append(
            f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" '
            'stroke="currentColor" stroke-opacity="0.2"/>'
        )

    def area(self, points: Sequence[Point], colour: str) -> None:
        """See `Pen`."""
        self._parts.append(
            f'<polygon points="{_joined(points)}" fill="{colour}" fill-opacity="{BAND}"/>'
        )

    def dot(self, centre: Point, colour: str, *, filled: bool) -> None:
        """See `Pen`."""
        x, y = centre
        fill = colour if filled else "none"
        self._parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{fill}" stroke="{colour}" '
            'stroke-width="2"/>'
        )

    def words(self, place: Point, words: str, anchor: str) -> None:
        """See `Pen`."""
        x, y = place
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">'
            f"{escape(words)}</text>"
        )

    def done(self) -> str:
        """The picture."""
        return "".join([*self._parts, "</svg>"])


class PngPen:
    """On white, with the font that Pillow brings; letters that it lacks are boxes."""

    def __init__(self, height: int) -> None:
        self._image = Image.new("RGB", (_WIDTH * _SCALE, height * _SCALE), "white")
        self._draw = ImageDraw.Draw(self._image)
        self._font = ImageFont.load_default(_SIZE * _SCALE)

    def line(self, points: Sequence[Point], colour: str, width: float, dash: Sequence[int]) -> None:
        """See `Pen`."""
        for part in _dashed(points, dash) if dash[1] else [points]:
            self._draw.line(_scaled(part), colour, round(width * _SCALE), joint="curve")

    def rule(self, start: Point, end: Point) -> None:
        """See `Pen`."""
        self._draw.line(_scaled([start, end]), "#d6d6d6", _SCALE)

    def area(self, points: Sequence[Point], colour: str) -> None:
        """See `Pen`."""
        mask = Image.new("L", self._image.size)
        ImageDraw.Draw(mask).polygon(_scaled(points), round(255 * BAND))
        self._image.paste(Image.new("RGB", self._image.size, colour), mask=mask)

    def dot(self, centre: Point, colour: str, *, filled: bool) -> None:
        """See `Pen`."""
        ((x, y),) = _scaled([centre])
        radius = 5 * _SCALE
        box = (x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse(box, colour if filled else "white", colour, 2 * _SCALE)

    def words(self, place: Point, words: str, anchor: str) -> None:
        """See `Pen`."""
        side = {"start": "l", "middle": "m", "end": "r"}[anchor]
        ((x, y),) = _scaled([place])
        self._draw.text((x, y), words, _INK, self._font, f"{side}s")

    def done(self) -> bytes:
        """The picture."""
        buffer = io.BytesIO()
        self._image.save(buffer, "PNG", dpi=(200, 200))
        return buffer.getvalue()


def curves_svg(curves: Mapping[str, Curve]) -> str:
    """recall@k over k, k on a logarithmic axis: a line for each name, the first one bold.

    What is pale around a line is its interval.
    """
    pen = SvgPen(_height(curves), "recall at k over k")
    _draw_curves(pen, curves)
    return pen.done()


def curves_png(curves: Mapping[str, Curve]) -> bytes:
    """Like `curves_svg`."""
    pen = PngPen(_height(curves))
    _draw_curves(pen, curves)
    return pen.done()


def costs_svg(points: Mapping[str, Point], measure: str) -> str:
    """Quality over milliseconds a query, on a logarithmic axis: what no other beats is filled.

    Args:
        points: name -> milliseconds a query, more than 0, and the measure's value.
        measure: its name for people.
    """
    pen = SvgPen(_height(points), f"{measure} over milliseconds a query")
    _draw_costs(pen, points, measure)
    return pen.done()


def costs_png(points: Mapping[str, Point], measure: str) -> bytes:
    """Like `costs_svg`."""
    pen = PngPen(_height(points))
    _draw_costs(pen, points, measure)
    return pen.done()


def _height(named: Mapping[str, object]) -> int:
    return _HEIGHT + _top(named)


def _top(named: Mapping[str, object]) -> int:
    """Where the axes begin, below the legend."""
    return 20 + _ROW * len(named)


def _draw_curves(pen: Pen, curves: Mapping[str, Curve]) -> None:
    top = _top(curves)
    deepest = max((len(each.values) for each in curves.values()), default=1)

    def place(k: float, value: float) -> Point:
        return _across(log(k) / log(max(deepest, 2))), _down(value, top)

    _axes(pen, top, "recall@k", "k (logarithmic)")
    for k in (tick for tick in TICKS if tick <= deepest):
        x, bottom = place(k, 0)
        pen.words((x, bottom + 18), str(k), "middle")
    for number, curve in enumerate(curves.values()):
        band = [place(k, value) for k, value in enumerate(curve.low, 1)]
        band += [place(k, value) for k, value in enumerate(curve.high, 1)][::-1]
        if band:
            pen.area(band, _colour(number))
    for number, (name, curve) in enumerate(curves.items()):
        dash, width = DASHES[number % len(DASHES)], 2 if number else 3.5
        line = 14 + _ROW * number
        points = [place(k, value) for k, value in enumerate(curve.values, 1)]
        pen.line(points, _colour(number), width, dash)
        pen.line([(70, line), (110, line)], _colour(number), width, dash)
        pen.words((118, line + 4), name, "start")


def _draw_costs(pen: Pen, points: Mapping[str, Point], measure: str) -> None:
    top, costs = _top(points), [cost for cost, _ in points.values()]
    low, high = min(costs, default=1) / 1.5, max(costs, default=1) * 1.5

    def place(cost: float, value: float) -> Point:
        return _across(log(cost / low) / log(high / low)), _down(value, top)

    _axes(pen, top, measure, "milliseconds a query (logarithmic)")
    ticks = [digit * 10.0**power for power in range(-3, 7) for digit in (1, 2, 5)]
    for tick in (tick for tick in ticks if low <= tick <= high):
        x, bottom = place(tick, 0)
        pen.words((x, bottom + 18), f"{tick:g}", "middle")
    front = undominated(points)
    pen.line([place(*points[name]) for name in front], "#8A9491", 1.5, (2, 2))
    for number, (name, (cost, value)) in enumerate(points.items()):
        line = 14 + _ROW * number
        for centre in (place(cost, value), (90.0, float(line))):
            pen.dot(centre, _colour(number), filled=name in front)
        pen.words((118, line + 4), f"{name}: {value:.3f}, {cost:.3g} ms", "start")


def _axes(pen: Pen, top: int, quality: str, across: str) -> None:
    for tenth in range(0, 11, 2):
        at = _down(tenth / 10, top)
        pen.rule((_LEFT, at), (_WIDTH - _RIGHT, at))
        pen.words((_LEFT - 8, at + 4), f"{tenth / 10:.1f}", "end")
    pen.words(((_LEFT + _WIDTH) / 2, _down(0, top) + 38), across, "middle")
    pen.words((4, top - 4), quality, "start")


def _across(share: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * share


def _down(value: float, top: int) -> float:
    return top + 8 + (_HEIGHT - 8 - _BOTTOM) * (1 - value)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _joined(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _scaled(points: Sequence[Point]) -> list[Point]:
    return [(x * _SCALE, y * _SCALE) for x, y in points]


def _dashed(points: Sequence[Point], dash: Sequence[int]) -> Iterable[Sequence[Point]]:
    """The strokes of a dashed line, each of two points."""
    left, place = float(dash[0]), 0
    for start, end in pairwise(points):
        length, gone = dist(start, end), 0.0
        while gone < length:
            step = min(left, length - gone)
            if place % 2 == 0:
                yield [_between(start, end, at / length) for at in (gone, gone + step)]
            gone, left = gone + step, left - step
            if left <= 1e-9:
                place += 1
                left = float(dash[place % len(dash)])


def _between(start: Point, end: Point, share: float) -> Point:
    (x1, y1), (x2, y2) = start, end
    return x1 + (x2 - x1) * share, y1 + (y2 - y1) * share

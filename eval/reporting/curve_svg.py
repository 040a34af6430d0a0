"""Recall curves as a picture that needs nothing else: SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from math import log

TICKS = (1, 2, 5, 10, 20, 50)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Okabe and Ito's, which most people can tell apart, those that stand out on white and on black."""

DASHES = ((1, 0), (7, 3), (2, 2), (9, 2, 2, 2))

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _BOTTOM = 52, 12, 44
_ROW = 20  # of the legend


def curves_svg(curves: Mapping[str, Sequence[float]]) -> str:
    """recall@k over k, k on a logarithmic axis: a line for each name, the first one bold.

    Text and axes have the colour of the `svg` element, dark unless a page says otherwise.
    """
    top = 20 + _ROW * len(curves)
    height = _HEIGHT + top
    deepest = max(map(len, curves.values()), default=1)

    def x(k: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * log(k) / log(max(deepest, 2))

    def y(value: float) -> float:
        return top + 8 + (_HEIGHT - 8 - _BOTTOM) * (1 - value)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" color="#333" font-size="13" role="img" '
        'font-family="system-ui, sans-serif" aria-label="recall at k over k">'
    ]
    for tenth in range(0, 11, 2):
        at = y(tenth / 10)
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}" '
            'stroke="currentColor" stroke-opacity="0.2"/>'
            + _text(_LEFT - 8, at + 4, f"{tenth / 10:.1f}", "end")
        )
    for k in (tick for tick in TICKS if tick <= deepest):
        parts.append(_text(x(k), y(0) + 18, str(k), "middle"))
    parts.append(_text((_LEFT + _WIDTH) / 2, y(0) + 38, "k (logarithmic)", "middle"))
    parts.append(_text(4, top - 4, "recall@k", "start"))
    for number, (name, values) in enumerate(curves.items()):
        points = " ".join(f"{x(k):.1f},{y(value):.1f}" for k, value in enumerate(values, 1))
        style = _style(number)
        line = 14 + _ROW * number
        parts.append(f'<polyline points="{points}" {style}/>')
        parts.append(f'<line x1="70" x2="110" y1="{line}" y2="{line}" {style}/>')
        parts.append(_text(118, line + 4, name, "start"))
    return "".join([*parts, "</svg>"])


def _style(number: int) -> str:
    colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    dashes = "" if dash == (1, 0) else f' stroke-dasharray="{" ".join(map(str, dash))}"'
    return f'fill="none" stroke="{colour}" stroke-width="{2 if number else 3.5}"{dashes}'


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">'
        f"{escape(words)}</text>"
    )

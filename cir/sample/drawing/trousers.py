"""Trousers and shorts."""

from dataclasses import dataclass, replace

import numpy as np

from cir.sample.designs import Design
from cir.sample.drawing.canvas import Canvas, Piece
from cir.sample.drawing.cloth import Cloth
from cir.sample.drawing.curves import Points, dashes, flip, join, offset, part_of, smooth, straight
from cir.sample.drawing.details import button_colour, lay_buttons
from cir.sample.drawing.gowns import lay_waist_back
from cir.sample.drawing.light import Fold


@dataclass(frozen=True)
class _Leg:
    """The cut of the right leg: half widths and heights."""

    waist: tuple[float, float]
    hip: tuple[float, float]
    crotch: float
    knee: tuple[float, float, float]
    hem: tuple[float, float, float]


_TROUSERS = _Leg((60, 56), (77, 138), 180, (20, 79, 304), (24, 78, 436))
_SHORTS = _Leg((72, 108), (94, 182), 210, (6, 101, 248), (8, 105, 284))


def trousers(canvas: Canvas, design: Design, cloth: Cloth) -> None:
    """Straight trousers."""
    canvas.middle = 240
    cloth = replace(cloth, texture="twill", sheen=0.09)
    _make(canvas, _TROUSERS, cloth)


def shorts(canvas: Canvas, design: Design, cloth: Cloth) -> None:
    """Shorts to above the knee."""
    canvas.middle, canvas.scale = 194, 1.34
    _make(canvas, _SHORTS, replace(cloth, texture="twill", sheen=0.09))


def _make(canvas: Canvas, leg: _Leg, cloth: Cloth) -> None:
    x, y = leg.waist
    lay_waist_back(canvas, x, y - 12, replace(cloth, pattern="solid"))
    for side in (-1, 1):
        _lay_leg(canvas, leg, cloth, side)
    middle = smooth((0.5, y + 4), (1.5, leg.crotch - 40), (0, leg.crotch + 1))
    canvas.line([middle], 1.1, 0.36, relief=0.25)
    fly = smooth((12, y + 8), (12, y + 46), (9, y + 62), (1, y + 70))
    canvas.line(dashes(fly, 2.4, 1.5), 0.8, 0.32)
    _lay_pockets(canvas, leg)
    _lay_waistband(canvas, leg, cloth)


def _lay_leg(canvas: Canvas, leg: _Leg, cloth: Cloth, side: int) -> None:
    (wx, wy), (hx, hy) = leg.waist, leg.hip
    ki, ko, ky = leg.knee
    ei, eo, ey = leg.hem
    outer = smooth(
        (wx, wy), (wx + (hx - wx) * 0.72, wy + (hy - wy) * 0.46), (hx, hy), (ko + 1.5, ky), (eo, ey)
    )
    hem = smooth((eo, ey), ((ei + eo) / 2, ey + 4), (ei, ey + 1))
    inner = smooth((ei, ey + 1), (ki, ky), (7, leg.crotch + 26), (0, leg.crotch))
    top = straight((-0.6, leg.crotch - 2), (-0.6, wy + 5))
    outline = flip(join(outer, hem, inner, top), side)
    folds = _leg_folds(canvas, leg, side)
    canvas.lay(Piece(outline, cloth, folds=folds, body=11, edge=1.2, casts=0.2, bow=2,
                     ripple=1.0))  # fmt: skip
    edge = flip(hem - np.array([0.0, 9.0]), side)
    canvas.line(dashes(edge, 2.4, 1.5), 0.8, 0.28)


def _leg_folds(canvas: Canvas, leg: _Leg, side: int) -> tuple[Fold, ...]:
    """Whiskers at the crotch, creases behind the knee and where the hem breaks."""
    hx, hy = leg.hip
    ki, ko, ky = leg.knee
    ei, eo, ey = leg.hem
    j = canvas.random.uniform(-4, 4, size=8)
    cy = leg.crotch
    paths = [
        ((5, cy - 8), (24, cy - 20 + j[0]), (46, cy - 38 + j[1]), 7, -0.30),
        ((6, cy + 4), (28, cy - 2 + j[2]), (52, cy - 14), 7, -0.26),
        ((8, cy + 16), (26, cy + 24 + j[3]), (46, cy + 26), 8, 0.20),
        ((hx * 0.5, hy), ((ki + ko) / 2 - 5 + j[4], (hy + ky) / 2), ((ki + ko) / 2, ky), 13, 0.26),
        ((ko - 6, ky - 10), ((ki + ko) / 2 + 4, ky + 6 + j[5]), (ki + 9, ky + 2), 7, -0.20),
        ((ki + 8, ky + 26), ((ki + ko) / 2, ky + 30 + j[6]), (ko - 9, ky + 16), 8, 0.16),
    ]
    if ey - ky > 80:
        paths += [
            ((ei + 4, ey - 40), ((ei + eo) / 2, ey - 30 + j[7]), (eo - 6, ey - 38), 6, -0.24),
            ((ei + 6, ey - 22), ((ei + eo) / 2, ey - 15), (eo - 4, ey - 24), 6, 0.24),
        ]
    return tuple(Fold(flip(smooth(*path[:3]), side), path[3], path[4]) for path in paths)


def _outer(leg: _Leg) -> Points:
    (wx, wy), (hx, hy) = leg.waist, leg.hip
    return smooth((wx, wy), (wx + (hx - wx) * 0.72, wy + (hy - wy) * 0.46), (hx, hy))


def _lay_pockets(canvas: Canvas, leg: _Leg) -> None:
    """Slanting front pockets."""
    wx, wy = leg.waist
    end = part_of(_outer(leg), 0.0, 0.78)[-1]
    for side in (-1, 1):
        slit = flip(smooth((wx - 22, wy + 4), (wx - 8, wy + 30), (end[0] - 1, end[1])), side)
        canvas.line([slit], 1.2, 0.42, relief=0.3)
        canvas.line(dashes(offset(slit, 2.8 * side), 2.4, 1.5), 0.75, 0.26)


def _lay_waistband(canvas: Canvas, leg: _Leg, cloth: Cloth) -> None:
    x, y = leg.waist
    upper = smooth((-x, y - 12), (0, y - 6.5), (x, y - 12))
    lower = smooth((x + 1.5, y + 5), (0, y + 10.5), (-x - 1.5, y + 5))
    plain = replace(cloth, colour=cloth.colour * np.float32(0.97))
    canvas.lay(Piece(join(upper, lower), plain, body=5, edge=0.8, casts=0.24, ripple=0.3))
    canvas.line(dashes(lower - np.array([0.0, 2.6]), 2.4, 1.5), 0.75, 0.26)
    canvas.line(dashes(upper + np.array([0.0, 2.4]), 2.4, 1.5), 0.75, 0.26)
    for at in (-0.62, 0.62):
        left = at * x
        loop = straight(
            (left - 2.6, y - 12), (left + 2.6, y - 12), (left + 2.6, y + 11), (left - 2.6, y + 11)
        )
        canvas.lay(Piece(loop, plain, body=0, edge=1.2, casts=0.3, ripple=0))
    canvas.line([straight((9, y - 7), (9, y + 10))], 0.9, 0.3)
    lay_buttons(canvas, [(2.5, y + 1.6)], 3.3, button_colour(cloth))

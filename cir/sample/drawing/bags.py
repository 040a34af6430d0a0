"""Handbags."""

from dataclasses import replace

import numpy as np

from cir.sample.designs import Design
from cir.sample.drawing.canvas import Canvas, Piece
from cir.sample.drawing.cloth import Cloth
from cir.sample.drawing.curves import band, dashes, flip, join, mirror, offset, smooth, straight
from cir.sample.drawing.details import disc
from cir.sample.drawing.light import Fold

_BRASS = np.array([0.80, 0.66, 0.36], dtype=np.float32)


def _plain(cloth: Cloth, dim: float) -> Cloth:
    return replace(cloth, pattern="solid", colour=cloth.colour * np.float32(dim))


def handbag(canvas: Canvas, design: Design, cloth: Cloth) -> None:
    """A structured leather bag with one handle, a flap and a clasp."""
    canvas.middle, canvas.sway = 232, 0.5
    two_tone = design.pattern == "colour-block"
    cloth = replace(cloth, pattern="solid", texture="leather", sheen=0.28)
    flap_cloth = replace(cloth, colour=cloth.accents[0]) if two_tone else cloth
    arch = smooth((-52, 192), (-56, 140), (-40, 96), (0, 80), (40, 96), (56, 140), (52, 192))
    canvas.lay(Piece(band(arch, 11), _plain(cloth, 0.95), body=6, edge=3, casts=0, ripple=0.2))
    canvas.line(dashes(offset(arch, 2.6), 2.8, 1.6), 0.8, 0.25)
    canvas.line(dashes(offset(arch, 8.4), 2.8, 1.6), 0.8, 0.25)
    half = smooth(
        (0, 184), (92, 185), (106, 192), (112, 214), (124, 352), (118, 372), (96, 380), (0, 382)
    )
    body = join(half, mirror(half))
    canvas.lay(Piece(body, cloth, body=16, edge=4, casts=0.3, ripple=0.5))
    canvas.line(dashes(_inset(body, 5), 3.0, 1.8), 0.9, 0.26)
    lid = smooth((0, 182), (92, 183), (108, 190), (113, 210), (117, 262), (104, 283), (0, 292))
    flap = join(lid, mirror(lid))
    canvas.lay(Piece(flap, flap_cloth, body=12, edge=3.2, casts=0.42, ripple=0.4))
    canvas.line(dashes(_inset(flap, 5), 3.0, 1.8), 0.9, 0.26)
    for side in (-1, 1):
        tab = flip(straight((41, 182), (57, 182), (57, 205), (49, 212), (41, 205)), side)
        canvas.lay(Piece(tab, _plain(cloth, 0.92), body=2, edge=2, casts=0.35, ripple=0))
        canvas.line([flip(disc((49, 191), 5), side)], 2.2, 1.0, _BRASS)
    _lay_clasp(canvas, 286)


def _lay_clasp(canvas: Canvas, y: float) -> None:
    dark = (_BRASS * 0.7).astype(np.float32)
    plate = straight((-11, y - 9), (11, y - 9), (11, y + 9), (-11, y + 9))
    metal = Cloth(_BRASS, texture="leather", sheen=0.5)
    canvas.lay(Piece(plate, metal, body=3, edge=2.4, casts=0.4, ripple=0))
    canvas.line([straight((-6, y), (6, y))], 2.4, 0.9, dark)


def tote_bag(canvas: Canvas, design: Design, cloth: Cloth) -> None:
    """An open bag with two handles: of leather where it is plain, else of canvas."""
    canvas.middle, canvas.sway = 232, 0.5
    plain = design.pattern == "solid"
    cloth = replace(cloth, texture="leather" if plain else "twill", sheen=0.26 if plain else 0.08)
    arches = [
        smooth((-44, 190), (-42, 120), (-26, 78), (0, 68), (26, 78), (42, 120), (44, 190)),
        smooth((-46, 196), (-46, 130), (-30, 90), (0, 79), (30, 90), (46, 130), (46, 196)),
    ]
    strap = _plain(cloth, 0.9)
    canvas.lay(Piece(band(arches[0], 8), strap, tone=0.75, body=3, edge=2, casts=0, ripple=0.2))
    mouth = smooth((-104, 176), (0, 186), (104, 176))
    back = smooth((104, 176), (0, 166), (-104, 176))
    canvas.lay(Piece(join(mouth, back), _plain(cloth, 1.0), tone=0.5, body=0, edge=1, casts=0.2))
    side = smooth((104, 176), (112, 260), (118, 372), (112, 388), (0, 392))
    fold = [Fold(flip(smooth((92, 190), (84, 260), (90, 340)), s), 16, -0.26) for s in (-1, 1)]
    body = join(mouth, side, mirror(side))
    canvas.lay(Piece(body, cloth, folds=tuple(fold), body=15, edge=3, casts=0.3, ripple=0.7))
    canvas.line(dashes(mouth + np.array([0.0, 5.0]), 3.0, 1.8), 0.9, 0.3)
    canvas.lay(Piece(band(arches[1], 9), strap, body=4, edge=2.4, casts=0.35, ripple=0.2))
    for s in (-1, 1):
        tab = flip(straight((36, 190), (48, 190), (48, 222), (42, 229), (36, 222)), s)
        canvas.lay(Piece(tab, strap, body=2, edge=2, casts=0.35, ripple=0))
        canvas.line(
            [flip(disc((42, 199), 1.2), s), flip(disc((42, 215), 1.2), s)], 2.6, 1.0, _BRASS
        )
    canvas.line(dashes(_inset(body, 5)[40:], 3.0, 1.8), 0.9, 0.22)


def _inset(outline: np.ndarray, distance: float) -> np.ndarray:
    middle = outline.mean(axis=0)
    half = np.maximum(np.ptp(outline, axis=0) / 2, 1.0)
    inset: np.ndarray = middle + (outline - middle) * (1 - distance / half)
    return inset

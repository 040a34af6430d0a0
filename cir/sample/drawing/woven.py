"""Shirts and jackets."""

from dataclasses import replace

import numpy as np

from cir.sample.designs import Design
from cir.sample.drawing import bodice
from cir.sample.drawing.bodice import Block
from cir.sample.drawing.canvas import Canvas, Piece
from cir.sample.drawing.cloth import Cloth
from cir.sample.drawing.curves import dashes, flip, join, mirror, offset, smooth, straight
from cir.sample.drawing.details import (
    button_colour,
    lay_buttons,
    lay_collar,
    lay_collar_back,
    lay_patch_pocket,
    lay_placket,
    lay_zip,
)

_METAL = np.array([0.70, 0.69, 0.66], dtype=np.float32)


def shirt(canvas: Canvas, design: Design, cloth: Cloth) -> None:
    """A button-down shirt with a collar, a placket, a pocket and a curved tail."""
    cloth = replace(cloth, texture="woven", sheen=0.12)
    block = Block(hem=(97, 372), waist=(94, 285), droop=15, cuff=16)
    canvas.middle, canvas.scale = 232, 1.08
    neckline = bodice.neckline(block, "crew", 30)
    lay_collar_back(canvas, cloth, block.neck)
    finish = "cuff" if design.sleeve == "long" else "stitched"
    bodice.lay_sleeves(canvas, block, design.sleeve, cloth, finish=finish, full=4)
    folds = bodice.body_folds(canvas, block, 1.1)
    canvas.lay(Piece(block.outline(neckline), cloth, folds=folds, body=13))
    bodice.seam_armholes(canvas, block)
    canvas.line(dashes(block.bottom - np.array([0.0, 5.0]), 2.4, 1.5), 0.75, 0.26)
    _seam_yoke(canvas, block)
    lay_placket(canvas, cloth, 118, 372 + block.droop * 1.2, 6)
    plain = replace(cloth, pattern="solid") if design.pattern == "floral" else cloth
    lay_patch_pocket(canvas, plain if design.pattern == "solid" else cloth, (28, 164), 39, 46)
    lay_collar(canvas, cloth, block.neck, 119, (37, 141))


def _seam_yoke(canvas: Canvas, block: Block) -> None:
    (nx, ny), (sx, sy) = block.neck, block.shoulder
    seams = [
        flip(smooth((nx + 4, ny + 13), ((nx + sx) / 2, (ny + sy) / 2 + 9), (sx - 2, sy + 9)), side)
        for side in (-1, 1)
    ]
    canvas.line(seams, 0.9, 0.26, relief=0.15)


def jacket(canvas: Canvas, design: Design, cloth: Cloth) -> None:
    """A bomber with ribbed trims and a zip, or a collared trucker with buttons."""
    canvas.middle, canvas.scale = 237, 1.05
    if design.neckline == "collar":
        _trucker(canvas, replace(cloth, texture="twill", sheen=0.08))
    else:
        _bomber(canvas, replace(cloth, texture="woven", sheen=0.26))


_JACKET = Block(neck=(40, 94), shoulder=(108, 120), armpit=(103, 206), waist=(104, 290),
                hem=(98, 356), droop=3, cuff=18)  # fmt: skip


def _bomber(canvas: Canvas, cloth: Cloth) -> None:
    block = _JACKET
    front = bodice.neckline(block, "crew", 32)
    bodice.lay_inside(canvas, block, front, cloth, rib=10)
    bodice.lay_sleeves(canvas, block, "long", cloth, finish="rib", full=9)
    bodice.lay_rib_hem(canvas, block, cloth, 21)
    folds = bodice.body_folds(canvas, block, 1.5)
    canvas.lay(Piece(block.outline(front), cloth, folds=folds, body=17, edge=2.4, ripple=1.5))
    bodice.seam_armholes(canvas, block)
    bodice.lay_neckband(canvas, front, cloth, 12)
    _slant_pockets(canvas)
    lay_zip(canvas, 116, 377, _METAL)


def _slant_pockets(canvas: Canvas) -> None:
    """Welts of slanting pockets."""
    slits = [flip(straight((44, 318), (66, 270)), side) for side in (-1, 1)]
    canvas.line(slits, 6.4, 0.22, relief=0.3)
    canvas.line([offset(slits[0], -3), offset(slits[1], 3)], 0.9, 0.4)
    canvas.line([dash for slit in slits for dash in dashes(offset(slit, 0), 2.2, 1.6)], 0.7, 0.25)


def _trucker(canvas: Canvas, cloth: Cloth) -> None:
    block = _JACKET
    front = bodice.neckline(block, "crew", 32)
    lay_collar_back(canvas, cloth, block.neck)
    bodice.lay_sleeves(canvas, block, "long", cloth, finish="cuff", full=7)
    folds = bodice.body_folds(canvas, block, 1.2)
    canvas.lay(Piece(block.outline(front), cloth, folds=folds, body=16, edge=2.2, ripple=1.2))
    bodice.seam_armholes(canvas, block)
    yoke = smooth((-104, 176), (-50, 181), (0, 181), (50, 181), (104, 176))
    canvas.line([yoke], 1.0, 0.36, relief=0.25)
    darts = [flip(smooth((34, 181), (30, 270), (25, 354)), side) for side in (-1, 1)]
    darts += [flip(smooth((66, 181), (62, 270), (52, 354)), side) for side in (-1, 1)]
    canvas.line(darts, 1.0, 0.3, relief=0.25)
    rows = [yoke + np.array([0.0, -2.6]), *(dart + np.array([2.4, 0.0]) for dart in darts)]
    pale = np.clip(cloth.colour * 0.6 + np.array([0.36, 0.30, 0.20]), 0, 1).astype(np.float32)
    canvas.line([dash for row in rows for dash in dashes(row, 2.6, 1.5)], 0.8, 0.5, pale)
    _waistband(canvas, block, cloth)
    lay_placket(canvas, cloth, 120, 356, 5, 17)
    for x in (-72.0, 34.0):
        lay_patch_pocket(canvas, cloth, (x, 182), 38, 46, flap=True)
    lay_collar(canvas, cloth, block.neck, 121, (42, 146))


def _waistband(canvas: Canvas, block: Block, cloth: Cloth) -> None:
    x, y = block.hem
    low = smooth((x - 1, y + 19), (0, y + 21), (-x + 1, y + 19))
    canvas.lay(Piece(join(straight((x, y)), low, block.bottom[::-1]), cloth, body=4, edge=1.4,
                     casts=0.16, ripple=0.3, bow=0))  # fmt: skip
    canvas.line([block.bottom], 1.0, 0.36, relief=0.2)
    canvas.line(dashes(low - np.array([0.0, 2.6]), 2.4, 1.5), 0.75, 0.3)
    lay_buttons(canvas, [(0, y + 11)], 3.3, button_colour(cloth))
    canvas.line([mirror(straight((7, y), (7, y + 20)))], 0.8, 0.2)

"""Dresses and skirts."""

from dataclasses import dataclass, replace

import numpy as np

from cir.sample.designs import Design
from cir.sample.drawing import bodice
from cir.sample.drawing.bodice import Block
from cir.sample.drawing.canvas import Canvas, Piece
from cir.sample.drawing.cloth import Cloth
from cir.sample.drawing.curves import band, dashes, join, mirror, offset, smooth, straight
from cir.sample.drawing.light import Drape, Fold


@dataclass(frozen=True)
class _Fall:
    """How a skirt falls: its waist, its hem, and how many waves it has, how deep."""

    waist: tuple[float, float]
    hem: tuple[float, float]
    waves: int
    depth: float


_DRESS_FALLS = {
    "mini": _Fall((54, 222), (96, 352), 4, 1.7),
    "knee-length": _Fall((54, 222), (116, 412), 5, 2.0),
    "maxi": _Fall((54, 222), (124, 524), 6, 2.0),
}
_DRESS_VIEW = {"mini": (1.22, 221.0), "knee-length": (1.06, 250.0), "maxi": (0.885, 305.0)}
_SKIRT_FALLS = {
    "mini": _Fall((62, 130), (104, 268), 5, 1.6),
    "knee-length": _Fall((60, 110), (120, 330), 6, 1.9),
    "maxi": _Fall((58, 70), (124, 424), 6, 2.0),
}
_SKIRT_VIEW = {"mini": (1.26, 196.0), "knee-length": (1.12, 218.0), "maxi": (1.0, 244.0)}
_NECK_DEPTH = {"crew": 22.0, "v-neck": 66.0, "boat neck": 13.0}


def dress(canvas: Canvas, design: Design, cloth: Cloth) -> None:
    """A fitted bodice on a skirt that swings out from the waist."""
    canvas.scale, canvas.middle = _DRESS_VIEW[design.length]
    bare = design.sleeve == "sleeveless"
    neck = (50.0, 91.0) if design.neckline == "boat neck" else (34.0, 86.0)
    block = Block(neck=neck, shoulder=(58, 96) if bare else (74, 102), armpit=(67, 166),
                  waist=(60, 198), hem=(54, 224), droop=3, cuff=14, reach=28)  # fmt: skip
    front = bodice.neckline(block, design.neckline, _NECK_DEPTH[design.neckline])
    bodice.lay_inside(canvas, block, front, cloth)
    bodice.lay_sleeves(canvas, block, design.sleeve, cloth, full=2)
    _lay_fall(canvas, _DRESS_FALLS[design.length], cloth)
    canvas.lay(Piece(block.outline(front), cloth, folds=_bust(canvas, block), body=12, casts=0.12))
    if bare:
        bodice.bind_armholes(canvas, block, cloth)
    else:
        bodice.seam_armholes(canvas, block, stitched=False)
    facing = bodice.trim(cloth, 0.97, "jersey")
    canvas.lay(Piece(band(front, 4), facing, body=0, edge=1.0, casts=0.12, ripple=0))
    canvas.line([offset(front, 4)], 0.8, 0.25)
    _lay_sash(canvas, cloth)


def _bust(canvas: Canvas, block: Block) -> tuple[Fold, ...]:
    """The rounding of the bodice and its darts."""
    j = canvas.random.uniform(-3, 3, size=4)
    folds = []
    for side in (-1, 1):
        folds += [
            Fold(smooth((side * 62, 176), (side * 44, 168 + j[0]), (side * 30, 164)), 6, -0.22),
            Fold(smooth((side * 33, 228), (side * 31, 200), (side * 33, 178 + j[1])), 6, -0.30),
            Fold(smooth((side * 50, 150), (side * 34, 160 + j[2]), (side * 20, 152)), 18, 0.16),
            Fold(smooth((side * 12, 226), (side * 10, 205), (side * 13, 190)), 7, 0.18),
        ]
    return tuple(folds)


def _lay_sash(canvas: Canvas, cloth: Cloth) -> None:
    """The band at the waist."""
    upper = smooth((-55, 217), (0, 221), (55, 217))
    lower = smooth((55, 228), (0, 232), (-55, 228))
    band_cloth = replace(cloth, colour=(cloth.colour * np.float32(0.92)), pattern="solid")
    canvas.lay(Piece(join(upper, lower), band_cloth, body=4, edge=0.6, casts=0.18, ripple=0.3))
    canvas.line([upper, lower], 0.8, 0.22)


def skirt(canvas: Canvas, design: Design, cloth: Cloth) -> None:
    """A skirt on a waistband."""
    canvas.scale, canvas.middle = _SKIRT_VIEW[design.length]
    fall = _SKIRT_FALLS[design.length]
    x, y = fall.waist
    back = join(
        smooth((-x, y - 14), (0, y - 10), (x, y - 14)),
        smooth((x, y - 14), (0, y - 20), (-x, y - 14)),
    )
    canvas.lay(Piece(back, replace(cloth, pattern="solid"), tone=0.6, body=0, edge=0.6, casts=0))
    _lay_fall(canvas, fall, cloth)
    upper = smooth((-x, y - 14), (0, y - 9), (x, y - 14))
    lower = smooth((x + 1, y + 3), (0, y + 8), (-x - 1, y + 3))
    waist = replace(cloth, pattern="solid", colour=cloth.colour * np.float32(0.95))
    canvas.lay(Piece(join(upper, lower), waist, body=5, edge=0.8, casts=0.26, ripple=0.3))
    canvas.line([lower], 0.9, 0.3)
    canvas.line(dashes(upper + np.array([0.0, 2.4]), 2.4, 1.5), 0.75, 0.24)


def _lay_fall(canvas: Canvas, fall: _Fall, cloth: Cloth) -> None:
    """The swinging part, with waves that run from the waist and open towards the hem."""
    (wx, wy), (hx, hy) = fall.waist, fall.hem
    flank = smooth((wx, wy - 2), (wx + (hx - wx) * 0.40, wy + (hy - wy) * 0.25),
                   (wx + (hx - wx) * 0.74, wy + (hy - wy) * 0.64), (hx, hy))  # fmt: skip
    waist = smooth((-wx, wy - 2), (0, wy + 3), (wx, wy - 2))
    drape = _drape(canvas, fall)
    share = np.linspace(1, -1, 81)
    hang = 13 * (1 - share**2) + 3.4 * drape.level(share) * (1 - share**8)
    hem = np.column_stack([share * hx, hy + hang])
    canvas.lay(Piece(join(waist, flank, hem, mirror(flank)), cloth, drape=drape, body=13,
                     flare=(hx / wx - 1) * 0.35, bow=11, ripple=0.5, casts=0.2))  # fmt: skip
    canvas.line(dashes(hem - np.array([0.0, 6.0]), 2.6, 1.7), 0.75, 0.22)


def _drape(canvas: Canvas, fall: _Fall) -> Drape:
    """Uneven waves: crests and valleys by turns, some of them shallow."""
    count = fall.waves * 2 + 1
    jitter = canvas.random.uniform(-0.55, 0.55, size=count) / fall.waves
    knots = np.linspace(-1.06, 1.06, count) + jitter * 0.8
    signs = np.where(np.arange(count) % 2 == 0, -1.0, 1.0)
    levels = signs * canvas.random.uniform(0.35, 1.0, size=count)
    return Drape((fall.waist[0], fall.waist[1] - 8), fall.hem, tuple(np.sort(knots).tolist()),
                 tuple(levels.tolist()), fall.depth)  # fmt: skip


def lay_waist_back(canvas: Canvas, x: float, y: float, cloth: Cloth) -> None:
    """The inside of the back of a waistband."""
    rim = smooth((-x, y), (0, y + 5), (x, y))
    back = smooth((x, y), (0, y - 6), (-x, y))
    canvas.lay(Piece(join(rim, back), cloth, tone=0.6, body=0, edge=0.6, casts=0, ripple=0.2))
    canvas.line([straight((-7, y - 4), (7, y - 4))], 3.0, 0.25)

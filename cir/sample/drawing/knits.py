"""T-shirts, tops, sweaters and sweatshirts."""

from dataclasses import replace

import numpy as np

from cir.sample.designs import Design
from cir.sample.drawing import bodice
from cir.sample.drawing.bodice import Block
from cir.sample.drawing.canvas import Canvas, Piece
from cir.sample.drawing.cloth import Cloth
from cir.sample.drawing.curves import band, dashes, flip, join, mirror, offset, smooth, straight
from cir.sample.drawing.details import lay_buttons, lay_collar_back, lay_polo_collar, print_motif
from cir.sample.drawing.light import Fold

_DEPTH = {"crew": 27.0, "v-neck": 74.0, "boat neck": 15.0, "polo": 16.0, "turtleneck": 8.0}


def t_shirt(canvas: Canvas, design: Design, cloth: Cloth) -> None:
    """A jersey shirt with a ribbed neck, or a collar and a short placket."""
    block = Block()
    canvas.middle, canvas.scale = 234, 1.08
    front = bodice.neckline(block, design.neckline, _DEPTH[design.neckline])
    bodice.lay_inside(canvas, block, front, cloth, rib=7)
    polo = design.neckline == "polo"
    bodice.lay_sleeves(canvas, block, design.sleeve, cloth,
                       finish="rib" if polo else "stitched", full=2)  # fmt: skip
    folds = bodice.body_folds(canvas, block)
    canvas.lay(Piece(block.outline(front), cloth, folds=folds, body=16))
    if design.pattern == "printed":
        print_motif(canvas, cloth, (0, 206), 62)
    bodice.seam_armholes(canvas, block)
    bodice.stitch_hem(canvas, block)
    if polo:
        lay_collar_back(canvas, bodice.trim(cloth, 0.94), block.neck)
        lay_polo_collar(canvas, block, cloth)
    else:
        bodice.lay_neckband(canvas, front, cloth, 8)


def top(canvas: Canvas, design: Design, cloth: Cloth) -> None:
    """A light, loose top that widens to its hem."""
    bare = design.sleeve == "sleeveless"
    neck = (56.0, 94.0) if design.neckline == "boat neck" else (38.0, 88.0)
    block = Block(neck=neck, shoulder=(68, 99) if bare else (88, 107), armpit=(80, 180),
                  waist=(80, 255), hem=(102, 340), droop=9, cuff=17, reach=36)  # fmt: skip
    canvas.middle, canvas.scale = 218, 1.16
    front = bodice.neckline(block, design.neckline, _DEPTH[design.neckline] * 0.86)
    bodice.lay_inside(canvas, block, front, cloth)
    bodice.lay_sleeves(canvas, block, design.sleeve, cloth, full=7)
    folds = (*bodice.body_folds(canvas, block, 0.8), *_gathers(canvas, block))
    canvas.lay(Piece(block.outline(front), cloth, folds=folds, body=15, flare=0.2, bow=6))
    if bare:
        bodice.bind_armholes(canvas, block, cloth)
    else:
        bodice.seam_armholes(canvas, block, stitched=False)
    bodice.stitch_hem(canvas, block, 6)
    facing = bodice.trim(cloth, 0.97, "jersey")
    canvas.lay(Piece(band(front, 4.5), facing, body=0, edge=1.2, casts=0.12, ripple=0))
    canvas.line([offset(front, 4.5)], 0.8, 0.25)


def _gathers(canvas: Canvas, block: Block) -> list[Fold]:
    """Soft waves that run down to a wide hem."""
    x, y = block.hem
    folds = []
    for number, at in enumerate(np.linspace(-0.82, 0.82, 7).tolist()):
        j = canvas.random.uniform(-5, 5, size=2)
        path = smooth(
            (at * x * 0.72, y - 120 + j[0] * 6), (at * x * 0.86, y - 60), (at * x + j[1], y + 4)
        )
        folds.append(Fold(path, 15, 0.30 if number % 2 else -0.26))
    return folds


def sweater(canvas: Canvas, design: Design, cloth: Cloth) -> None:
    """A knitted jumper with ribbed neck, cuffs and hem."""
    knitted = replace(cloth, texture="knit", sheen=0.06)
    block = Block(shoulder=(105, 116), armpit=(99, 200), waist=(99, 290), hem=(93, 356),
                  droop=3, cuff=17)  # fmt: skip
    canvas.middle, canvas.scale = 237, 1.07
    high = design.neckline == "turtleneck"
    front = bodice.neckline(block, "crew" if high else design.neckline, _DEPTH[design.neckline])
    if not high:
        bodice.lay_inside(canvas, block, front, knitted, rib=9)
    bodice.lay_sleeves(canvas, block, "long", knitted, finish="rib", full=6)
    bodice.lay_rib_hem(canvas, block, knitted)
    folds = bodice.body_folds(canvas, block, 0.9)
    canvas.lay(Piece(block.outline(front), knitted, folds=folds, body=18, edge=1.6))
    bodice.seam_armholes(canvas, block, stitched=False)
    if high:
        _lay_roll_neck(canvas, block, knitted)
    else:
        bodice.lay_neckband(canvas, front, knitted, 11)


def _lay_roll_neck(canvas: Canvas, block: Block, cloth: Cloth) -> None:
    x, y = block.neck
    rim = smooth((-x + 3, y - 30), (0, y - 26), (x - 3, y - 30))
    inside = join(rim, smooth((x - 3, y - 30), (0, y - 36), (-x + 3, y - 30)))
    base = smooth((x + 3, y + 6), (0, y + 19), (-x - 3, y + 6))
    canvas.lay(Piece(inside, bodice.trim(cloth), tone=0.6, body=0, edge=0.6, casts=0, ripple=0))
    sides = straight((x - 3, y - 30), (x + 2, y - 12), (x + 3, y + 6))
    outline = join(rim, sides, base, mirror(sides))
    fold = Fold(smooth((-x, y - 6), (0, y + 3), (x, y - 6)), 8, -0.30)
    canvas.lay(Piece(outline, bodice.trim(cloth), folds=(fold,), body=9, edge=3, casts=0.3, bow=0))


def sweatshirt(canvas: Canvas, design: Design, cloth: Cloth) -> None:
    """A sweatshirt with a pouch pocket, and either a hood with cords or a crew neck."""
    heavy = replace(cloth, texture="jersey", sheen=0.07)
    block = Block(neck=(38, 97), shoulder=(107, 122), armpit=(101, 208), waist=(102, 300),
                  hem=(96, 372), droop=3, cuff=18)  # fmt: skip
    hooded = design.neckline == "hood"
    canvas.middle, canvas.scale = (215, 1.03) if hooded else (245, 1.05)
    front = bodice.neckline(block, "crew", 30)
    if hooded:
        _lay_hood(canvas, heavy)
    else:
        bodice.lay_inside(canvas, block, front, heavy, rib=9)
    bodice.lay_sleeves(canvas, block, "long", heavy, finish="rib", full=9)
    bodice.lay_rib_hem(canvas, block, heavy, 22)
    folds = bodice.body_folds(canvas, block, 1.1)
    canvas.lay(Piece(block.outline(front), heavy, folds=folds, body=19, edge=1.6))
    if design.pattern == "printed":
        print_motif(canvas, heavy, (0, 238 if hooded else 214), 46 if hooded else 58)
    bodice.seam_armholes(canvas, block)
    _lay_pouch(canvas, heavy)
    if hooded:
        _lay_hood_front(canvas, heavy)
    else:
        bodice.lay_neckband(canvas, front, heavy, 11)


def _lay_hood(canvas: Canvas, cloth: Cloth) -> None:
    """The hood as it stands open behind the neck, and the dark of its inside."""
    half = smooth((0, 30), (34, 36), (58, 66), (62, 104), (40, 134))
    outline = join(half, straight((0, 140)), mirror(half))
    folds = tuple(
        Fold(flip(smooth((50, 60), (54, 90), (44, 124)), side), 8, -0.26) for side in (-1, 1)
    )
    canvas.lay(Piece(outline, cloth, folds=folds, body=12, edge=4, casts=0))
    mouth = smooth((0, 44), (27, 50), (42, 76), (40, 108), (10, 134))
    inside = join(mouth, mirror(mouth))
    canvas.lay(
        Piece(inside, bodice.trim(cloth, 1.0, "jersey"), tone=0.60, body=-14, edge=0.5, casts=0)
    )
    centre = smooth((0, 46), (1.5, 80), (0, 120))
    canvas.line([centre], 1.0, 0.3)
    canvas.line(dashes(offset(join(mouth, mirror(mouth)), -4), 2.4, 1.6), 0.75, 0.25)


def _lay_hood_front(canvas: Canvas, cloth: Cloth) -> None:
    """The two halves of the hood that cross below the chin, and the cords."""
    for side in (-1, 1):
        inner = smooth((42, 82), (36, 108), (18, 128), (-5, 140))
        outer = smooth((-5, 152), (30, 146), (54, 128), (61, 98))
        leaf = flip(join(inner, outer), side)
        fold = Fold(flip(smooth((48, 100), (36, 124), (10, 143)), side), 7, 0.2)
        canvas.lay(
            Piece(leaf, replace(cloth, pattern="solid"), folds=(fold,), body=5, edge=3, casts=0.3)
        )
        canvas.line(dashes(flip(offset(inner, -3.4), side), 2.4, 1.6), 0.75, 0.25)
    pale = np.clip(cloth.colour * np.float32(0.35) + np.float32(0.62), 0, 0.97).astype(np.float32)
    swing = canvas.random.uniform(-3, 3, size=2)
    cords = [
        smooth((-15, 139), (-17, 160), (-15 + swing[0], 182)),
        smooth((15, 139), (18, 162), (15 + swing[1], 188)),
    ]
    canvas.line([cord + np.array([1.6, 1.6]) for cord in cords], 3.2, 0.25)
    canvas.line(cords, 3.0, 1.0, pale)
    lay_buttons(canvas, [(-15, 139), (15, 139)], 3.0, np.array([0.72, 0.72, 0.74], np.float32), 0)


def _lay_pouch(canvas: Canvas, cloth: Cloth) -> None:
    half = smooth((34, 296), (40, 299), (64, 340), (66, 352), (66, 375))
    outline = join(half, mirror(half))
    canvas.lay(Piece(outline, cloth, body=5, edge=2.0, casts=0.28))
    rows = [offset(join(half, mirror(half)), width) for width in (3.0, 5.6)]
    canvas.line([dash for row in rows for dash in dashes(row, 2.4, 1.6)], 0.75, 0.22)

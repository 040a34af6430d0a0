"""What garments of the upper body share: the block they are cut from, sleeves and necklines."""

from dataclasses import dataclass, replace

import numpy as np

from cir.sample.drawing.canvas import Canvas, Piece
from cir.sample.drawing.cloth import Cloth
from cir.sample.drawing.curves import (
    Points,
    band,
    dashes,
    flip,
    join,
    mirror,
    offset,
    part_of,
    smooth,
    straight,
)
from cir.sample.drawing.light import Fold


@dataclass(frozen=True)
class Block:
    """The right half of a garment's cut, as (x, y) in design units."""

    neck: tuple[float, float] = (38, 88)
    shoulder: tuple[float, float] = (101, 112)
    armpit: tuple[float, float] = (94, 194)
    waist: tuple[float, float] = (92, 285)
    hem: tuple[float, float] = (95, 378)
    droop: float = 5
    cuff: float = 15
    reach: float = 43

    @property
    def side(self) -> Points:
        """From the neck over shoulder, armhole and waist to the hem."""
        (nx, ny), (sx, sy), (ax, ay) = self.neck, self.shoulder, self.armpit
        slope = smooth((nx, ny), ((nx + sx) / 2, (ny + sy) / 2 - 1.5), (sx, sy))
        armhole = smooth((sx, sy), (sx - 7, sy + 22), (ax - 5, ay - 24), (ax, ay))
        flank = smooth((ax, ay), self.waist, self.hem)
        return join(slope, armhole, flank)

    @property
    def armhole(self) -> Points:
        """The seam where a sleeve is set in."""
        (sx, sy), (ax, ay) = self.shoulder, self.armpit
        return smooth((sx, sy), (sx - 7, sy + 22), (ax - 5, ay - 24), (ax, ay))

    @property
    def bottom(self) -> Points:
        """The hem, from right to left."""
        x, y = self.hem
        return smooth((x, y), (x * 0.55, y + self.droop), (0, y + self.droop * 1.3),
                      (-x * 0.55, y + self.droop), (-x, y))  # fmt: skip

    def outline(self, front: Points) -> Points:
        """The whole front, below a neckline that runs from left to right."""
        return join(self.side, self.bottom, mirror(self.side), front)


def neckline(block: Block, kind: str, depth: float) -> Points:
    """The front edge of the neck opening, from left to right."""
    x, y = block.neck
    if kind == "v-neck":
        half = smooth((-x, y), (-x * 0.62, y + depth * 0.45), (0, y + depth))
        return join(half, mirror(half)[1:])
    if kind == "boat neck":
        return smooth((-x, y), (-x * 0.55, y + depth * 0.85), (0, y + depth),
                      (x * 0.55, y + depth * 0.85), (x, y))  # fmt: skip
    return smooth((-x, y), (-x * 0.86, y + depth * 0.5), (-x * 0.5, y + depth * 0.88),
                  (0, y + depth), (x * 0.5, y + depth * 0.88), (x * 0.86, y + depth * 0.5),
                  (x, y))  # fmt: skip


def back_of_neck(block: Block, rise: float = 3) -> Points:
    """The back edge of the neck opening, from right to left."""
    x, y = block.neck
    return smooth((x, y), (x * 0.6, y + rise), (0, y + rise * 1.7), (-x * 0.6, y + rise), (-x, y))


def lay_inside(canvas: Canvas, block: Block, front: Points, cloth: Cloth, rib: float = 0) -> None:
    """What one sees through the neck opening: the inside of the back, and its band."""
    back = back_of_neck(block)
    low = front[::-1] + np.array([0.0, 6.0])
    inside = Piece(join(back, low[::-1]), cloth, tone=0.62, body=0, edge=0.5, casts=0, ripple=0.3)
    canvas.lay(inside)
    if rib:
        strip = band(back, -rib)
        canvas.lay(Piece(strip, trim(cloth), tone=0.80, body=0, edge=1.0, casts=0.12, ripple=0))
        canvas.line([offset(back, -rib)], 0.9, 0.25)


def trim(cloth: Cloth, dim: float = 0.95, texture: str = "rib") -> Cloth:
    """The plain companion of a cloth, for bands, cuffs and collars."""
    colour = (cloth.colour * np.float32(dim)).astype(np.float32)
    return replace(cloth, pattern="solid", colour=colour, texture=texture)


def lay_neckband(canvas: Canvas, front: Points, cloth: Cloth, wide: float) -> None:
    """A band along the neckline, with its seam."""
    canvas.lay(Piece(band(front, wide), trim(cloth), body=0, edge=1.5, casts=0.16, ripple=0.2))
    canvas.line([offset(front, wide)], 0.9, 0.30)
    canvas.line(dashes(offset(front, wide + 2.6), 2.4, 1.5), 0.7, 0.22)


def lay_sleeves(
    canvas: Canvas, block: Block, kind: str, cloth: Cloth, *, finish: str = "stitched",
    full: float = 0,
) -> None:  # fmt: skip
    """Both sleeves, to be laid before the body that covers their roots.

    Args:
        kind: as in the catalogue; "sleeveless" lays nothing.
        finish: "stitched" hem, "rib" or "cuff".
        full: how much wider than close-fitting.
    """
    if kind == "sleeveless":
        return
    for side in (-1, 1):
        if kind == "short":
            _short_sleeve(canvas, block, side, cloth, finish, full)
        else:
            _long_sleeve(canvas, block, side, cloth, finish, full)


def _short_sleeve(
    canvas: Canvas, block: Block, side: int, cloth: Cloth, finish: str, full: float
) -> None:
    (sx, sy), (ax, ay) = block.shoulder, block.armpit
    jitter = canvas.random.uniform(-1.5, 1.5, size=4)
    end, inner = (
        (sx + block.reach + jitter[0], sy + 68 + jitter[1]),
        (ax + 13 + full, ay + 9 + jitter[2]),
    )
    outer = smooth((sx - 8, sy - 3), (sx, sy), (sx + block.reach * 0.47 + full * 0.4, sy + 25), end)
    hem = smooth(end, ((end[0] + inner[0]) / 2 + 1.5, (end[1] + inner[1]) / 2 + 3), inner)
    root = smooth(inner, (ax - 2, ay - 2), (ax - 14, ay - 30), (sx - 8, sy - 3))
    folds = [
        _fold((ax + 4, ay - 8), (sx + 12, sy + 44), 7, -0.30),
        _fold((ax + 8, ay - 4), (sx + 27, sy + 52), 5, -0.20),
        _fold((ax + 2, ay - 16), (sx + 4, sy + 30), 9, 0.22),
    ]
    piece = Piece(flip(join(outer, hem, root), side), cloth, turn=-24.0 * side,
                  folds=_sided(folds, side), body=8, casts=0, bow=0)  # fmt: skip
    canvas.lay(piece)
    edge = flip(offset(hem, 7), side)
    if finish == "rib":
        canvas.lay(
            Piece(flip(band(hem, 8), side), trim(cloth), turn=-24.0 * side, body=2, casts=0.1)
        )
        canvas.line([flip(offset(hem, 8), side)], 0.9, 0.3)
    else:
        canvas.line([edge], 0.8, 0.16)
        canvas.line(dashes(edge, 2.4, 1.5), 0.75, 0.30)


def _long_sleeve(
    canvas: Canvas, block: Block, side: int, cloth: Cloth, finish: str, full: float
) -> None:
    (sx, sy), (ax, ay) = block.shoulder, block.armpit
    j = canvas.random.uniform(-2, 2, size=6)
    end = (sx + 47 + j[0], sy + 252 + j[1])
    inner = (end[0] - 2 * block.cuff, end[1] + 7)
    outer = smooth((sx - 8, sy - 3), (sx, sy), (sx + 16 + full * 0.3, sy + 30),
                   (sx + 29 + full, sy + 96), (sx + 41 + full + j[2], sy + 170), end)  # fmt: skip
    hem = smooth(end, ((end[0] + inner[0]) / 2, (end[1] + inner[1]) / 2 + 3), inner)
    under = smooth(inner, (ax + 20 - full * 0.4 + j[3], ay + 100), (ax + 8, ay + 34),
                   (ax - 2, ay - 2), (ax - 14, ay - 30), (sx - 8, sy - 3))  # fmt: skip
    elbow = (sx + 24, sy + 128)
    folds = [
        _fold((ax + 5, ay - 4), (sx + 12, sy + 46), 8, -0.30),
        _fold((ax + 10, ay + 16), (sx + 26, sy + 74), 7, -0.24),
        _fold((elbow[0] - 14, elbow[1] - 4), (elbow[0] + 15, elbow[1] + 12), 5, -0.34),
        _fold((elbow[0] - 10, elbow[1] + 12), (elbow[0] + 17, elbow[1] + 22), 6, 0.30),
        _fold((elbow[0] - 8, elbow[1] + 30), (elbow[0] + 20, elbow[1] + 26), 5, -0.26),
        _fold((inner[0] + 3, inner[1] - 40), (end[0] - 2, end[1] - 34 + j[4]), 5, -0.30),
        _fold((inner[0] + 3, inner[1] - 24), (end[0] - 2, end[1] - 21 + j[5]), 4.5, 0.30),
    ]
    piece = Piece(flip(join(outer, hem, under), side), cloth, turn=-9.0 * side,
                  folds=_sided(folds, side), body=7, casts=0, bow=0)  # fmt: skip
    canvas.lay(piece)
    wide = {"rib": 17.0, "cuff": 19.0}.get(finish, 7.0)
    _finish_cuff(canvas, flip(hem, side), side, cloth, finish, wide)


def _finish_cuff(
    canvas: Canvas, hem: Points, side: int, cloth: Cloth, finish: str, wide: float
) -> None:
    edge = offset(hem, wide * side)
    if finish == "stitched":
        canvas.line(dashes(edge, 2.4, 1.5), 0.75, 0.30)
        return
    spread = (hem - hem.mean(axis=0)) * 1.07 + hem.mean(axis=0)
    strip = join(spread + np.array([0.0, 1.0]), edge[::-1])
    made = trim(cloth) if finish == "rib" else replace(cloth, variant=cloth.variant)
    canvas.lay(Piece(strip, made, turn=-9.0 * side, body=3, casts=0.14, ripple=0.2, bow=0))
    canvas.line([edge], 1.0, 0.36, relief=0.2)
    if finish == "cuff":
        canvas.line(dashes(offset(hem, 3 * side), 2.2, 1.5), 0.7, 0.25)
        canvas.line(dashes(offset(hem, (wide - 2.5) * side), 2.2, 1.5), 0.7, 0.25)


def _fold(start: tuple[float, float], end: tuple[float, float], width: float, depth: float) -> Fold:
    """A crease with a slight bend."""
    middle = ((start[0] + end[0]) / 2 + 2, (start[1] + end[1]) / 2 + 3)
    return Fold(smooth(start, middle, end), width, depth)


def _sided(folds: list[Fold], side: int) -> tuple[Fold, ...]:
    return tuple(replace(fold, path=flip(fold.path, side)) for fold in folds)


def body_folds(canvas: Canvas, block: Block, strength: float = 1.0) -> tuple[Fold, ...]:
    """Drag lines from the armpits, soft vertical drapes, and a few short ones above the hem."""
    (ax, ay), (hx, hy) = block.armpit, block.hem
    folds = []
    for side in (-1, 1):
        j = canvas.random.uniform(-7, 7, size=8)
        made = [
            _fold((ax - 4, ay - 6), (ax - 34 + j[0], ay + 34 + j[1]), 8, -0.30),
            _fold((ax - 3, ay + 6), (ax - 40 + j[2], ay + 74 + j[3]), 10, -0.22),
            _fold((ax - 10, ay - 14), (ax - 30 + j[4], ay + 12), 8, 0.22),
            _fold((hx * 0.62 + j[5], hy - 120 + j[6]), (hx * 0.70 + j[7], hy - 6), 13, 0.20),
            _fold((hx * 0.34 + j[6], hy - 90 + j[5]), (hx * 0.30 + j[4], hy - 4), 11, -0.20),
        ]
        folds += [replace(fold, depth=fold.depth * strength) for fold in _sided(made, side)]
    sway = float(canvas.random.uniform(-16, 16))
    folds.append(_fold((sway - 20, ay + 66), (sway + 26, ay + 96), 12, -0.14 * strength))
    return tuple(folds)


def seam_armholes(canvas: Canvas, block: Block, stitched: bool = True) -> None:
    """The seams of both sleeves."""
    seams = [part_of(block.armhole, 0.02, 0.97), part_of(flip(block.armhole), 0.02, 0.97)]
    canvas.line(seams, 1.1, 0.34, relief=0.25)
    if stitched:
        inner = [offset(seams[0], 2.8), offset(seams[1], -2.8)]
        canvas.line([dash for seam in inner for dash in dashes(seam, 2.4, 1.6)], 0.7, 0.18)


def bind_armholes(canvas: Canvas, block: Block, cloth: Cloth) -> None:
    """Narrow bands along sleeveless armholes."""
    for side in (-1, 1):
        edge = flip(block.armhole, side)
        strip = band(edge, 5.0 * side)
        canvas.lay(Piece(strip, trim(cloth), body=0, edge=1.2, casts=0.1, ripple=0))
        canvas.line([offset(edge, 5.0 * side)], 0.8, 0.28)


def stitch_hem(canvas: Canvas, block: Block, lift: float = 9) -> None:
    """The double row of stitches above the hem."""
    for row in (lift, lift + 3):
        canvas.line(dashes(block.bottom - np.array([0.0, row]), 2.4, 1.5), 0.75, 0.26)


def lay_rib_hem(canvas: Canvas, block: Block, cloth: Cloth, tall: float = 20) -> None:
    """A ribbed band below the hem that draws the body together."""
    x, y = block.hem
    low = smooth((x - 4, y + tall), (0, y + tall + block.droop), (-x + 4, y + tall))
    outline = join(straight((x, y)), low, block.bottom[::-1])
    canvas.lay(Piece(outline, trim(cloth), body=5, edge=2.2, casts=0.15, ripple=0.2, bow=0))
    canvas.line([block.bottom], 1.0, 0.36)

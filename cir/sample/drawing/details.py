"""Small things on garments: collars, plackets, buttons, pockets, zips and prints."""

import numpy as np

from cir.sample.drawing.bodice import Block, trim
from cir.sample.drawing.canvas import Canvas, Piece
from cir.sample.drawing.cloth import Cloth
from cir.sample.drawing.curves import Points, dashes, flip, join, smooth, straight
from cir.sample.palette import Colour


def disc(at: tuple[float, float], radius: float) -> Points:
    """A circle."""
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    return np.column_stack([at[0] + radius * np.cos(angle), at[1] + radius * np.sin(angle)])


def lay_buttons(
    canvas: Canvas, places: list[tuple[float, float]], radius: float, colour: Colour, holes: int = 4
) -> None:
    """Round buttons with a rim, a highlight and holes; or eyelets without holes."""
    canvas.line([disc((x + 0.7, y + 1.1), radius * 0.5) for x, y in places], radius * 1.1, 0.35)
    canvas.line([disc(at, radius * 0.5) for at in places], radius * 1.05, 1.0, colour)
    dark = (colour * np.float32(0.62)).astype(np.float32)
    canvas.line([disc(at, radius * 0.93) for at in places], 0.8, 0.75, dark)
    bright = np.clip(colour * 1.25 + 0.06, 0, 1).astype(np.float32)
    arcs = [disc(at, radius * 0.62)[15:22] for at in places]
    canvas.line(arcs, 0.8, 0.7, bright)
    if holes:
        dots = [disc((x + dx, y + dy), 0.35) for x, y in places for dx in (-1, 1) for dy in (-1, 1)]
        canvas.line(dots, 0.7, 0.8, dark)


def button_colour(cloth: Cloth) -> Colour:
    """Buttons a little lighter than dark cloth, a little darker than pale cloth."""
    pale = float(cloth.colour.mean()) > 0.62
    mixed = cloth.colour * 0.80 + (0.06 if pale else 0.20)
    colour: Colour = np.clip(mixed, 0, 0.95).astype(np.float32)
    return colour


def lay_placket(
    canvas: Canvas, cloth: Cloth, top: float, bottom: float, buttons: int, wide: float = 15
) -> None:
    """The strip that closes a front, with its buttons."""
    half = wide / 2
    strip = straight((-half, top), (half, top), (half, bottom), (-half, bottom))
    long = np.linspace(0, 1, 24)[:, None]
    edges = [straight((x, top)) + long * np.array([[0.0, bottom - top]]) for x in (-half, half)]
    strip = join(edges[1], edges[0][::-1])
    canvas.lay(Piece(strip, cloth, body=0, edge=1.2, casts=0.20, ripple=0.3, bow=0))
    canvas.line(edges, 0.8, 0.25)
    rows = [edge + np.array([shift, 0.0]) for edge, shift in zip(edges, (2.4, -2.4), strict=True)]
    canvas.line([dash for row in rows for dash in dashes(row, 2.2, 1.6)], 0.7, 0.20)
    places = [(0.0, float(y)) for y in np.linspace(top + 8, bottom - 12, buttons)]
    lay_buttons(canvas, places, 3.1, button_colour(cloth))


def lay_collar(canvas: Canvas, cloth: Cloth, neck: tuple[float, float], meet: float,
               tip: tuple[float, float] = (36, 132)) -> None:  # fmt: skip
    """A turned-down collar: the band at the back, and both leaves.

    Args:
        neck: the right end of the neck opening.
        meet: y where the leaves meet.
        tip: of the right leaf.
    """
    x, y = neck
    for side in (-1, 1):
        crease = smooth((1.5, meet), (x * 0.48, meet - 13), (x * 0.80, y + 4), (x * 0.90, y - 8))
        outside = smooth((x * 0.90, y - 8), (x + 3, y - 4), (x + 9, y + 7))
        leaf = join(crease, outside, straight(tip, (1.5, meet)))
        leaf = flip(leaf, side)
        canvas.lay(Piece(leaf, cloth, turn=28.0 * side, body=2, edge=1.4, casts=0.34, ripple=0.3))
        edge = straight((x + 6.4, y + 9), (tip[0] - 2.2, tip[1] - 3.4), (3.4, meet - 0.5))
        canvas.line(dashes(flip(edge, side), 2.2, 1.5), 0.7, 0.22)


def lay_collar_back(canvas: Canvas, cloth: Cloth, neck: tuple[float, float]) -> None:
    """The back of a collar with the inside of its stand, seen through the neck opening."""
    x, y = neck
    rise = smooth((-x * 0.90, y - 8), (-x * 0.5, y - 12), (0, y - 13), (x * 0.5, y - 12),
                  (x * 0.90, y - 8))  # fmt: skip
    fall = smooth((x, y + 16), (0, y + 36), (-x, y + 16))
    canvas.lay(Piece(join(rise, fall), cloth, tone=0.66, body=0, edge=0.8, casts=0, ripple=0.2))
    stand = smooth((-x * 0.9, y + 2), (0, y + 8), (x * 0.9, y + 2))
    canvas.line([stand], 1.0, 0.35)
    canvas.line(dashes(stand + np.array([0.0, -2.4]), 2.2, 1.5), 0.7, 0.2)


def lay_polo_collar(canvas: Canvas, block: Block, cloth: Cloth) -> None:
    """A knitted collar and a short placket with two buttons."""
    ribbed = trim(cloth, 0.94)
    lay_placket(canvas, trim(cloth, 0.98, "jersey"), 104, 168, 3, 16)
    canvas.line([straight((-8, 168), (8, 168))], 1.0, 0.35)
    lay_collar(canvas, ribbed, block.neck, 112, (33, 131))


def lay_patch_pocket(canvas: Canvas, cloth: Cloth, at: tuple[float, float], wide: float,
                     tall: float, flap: bool = False) -> None:  # fmt: skip
    """A sewn-on pocket, `at` its upper left corner; with a flap and a button if asked."""
    x, y = at
    outline = straight((x, y), (x + wide, y), (x + wide, y + tall * 0.82),
                       (x + wide / 2, y + tall), (x, y + tall * 0.82))  # fmt: skip
    canvas.lay(Piece(outline, cloth, body=2, edge=1.0, casts=0.22, ripple=0.3, bow=0))
    closed = join(outline, outline[:1])
    canvas.line(dashes(_inset(closed, 2.4), 2.2, 1.5), 0.7, 0.24)
    if flap:
        lid = straight((x - 1.5, y - 2), (x + wide + 1.5, y - 2), (x + wide + 1.5, y + 9),
                       (x + wide / 2, y + 16), (x - 1.5, y + 9))  # fmt: skip
        canvas.lay(Piece(lid, cloth, body=2, edge=1.2, casts=0.3, ripple=0.3, bow=0))
        canvas.line(dashes(_inset(join(lid, lid[:1]), 2.2), 2.2, 1.5), 0.7, 0.24)
        lay_buttons(canvas, [(x + wide / 2, y + 9.5)], 2.4, button_colour(cloth), 0)
    else:
        canvas.line([straight((x, y + 8), (x + wide, y + 8))], 0.7, 0.22)


def _inset(outline: Points, distance: float) -> Points:
    """The outline drawn in towards its middle."""
    middle = outline.mean(axis=0)
    half = np.maximum(np.ptp(outline, axis=0) / 2, 1.0)
    inset: Points = middle + (outline - middle) * (1 - distance / half)
    return inset


def lay_zip(canvas: Canvas, top: float, bottom: float, colour: Colour) -> None:
    """A zip down the middle, closed, with its slider."""
    run = straight((0, top), (0, bottom))
    canvas.line([run], 5.2, 0.45)
    canvas.line(dashes(run, 1.5, 1.3), 3.0, 0.9, colour)
    canvas.line([run], 0.6, 0.5)
    canvas.line([straight((0, top + 2), (0, top + 8))], 4.4, 1.0, colour)
    canvas.line([straight((0, top + 8), (0, top + 17))], 2.4, 0.95, colour)


def print_motif(canvas: Canvas, cloth: Cloth, centre: tuple[float, float], size: float) -> None:
    """A graphic on the chest, one of four: sun and sea, hills, a sprig, arcs."""
    form = cloth.variant % 4
    makers = (_sunset, _hills, _sprig, _arcs)
    makers[form](canvas, cloth.accents, centre, size)


def _sunset(canvas: Canvas, inks: tuple[Colour, ...], at: tuple[float, float], size: float) -> None:
    x, y = at
    radius = size * 0.62
    edges = np.array([-1.0, 0.02, 0.14, 0.30, 0.42, 0.60, 0.70, 0.90]) * radius
    for low, high in zip(edges[::2], edges[1::2], strict=True):
        rows = np.linspace(low, high, 16)
        half = np.sqrt(np.maximum(radius**2 - rows**2, 0))
        right = np.column_stack([x + half, y + rows])
        left = np.column_stack([x - half, y + rows])[::-1]
        canvas.ink(join(right, left), inks[0], 0.92)


def _hills(canvas: Canvas, inks: tuple[Colour, ...], at: tuple[float, float], size: float) -> None:
    x, y = at
    canvas.ink(disc((x + size * 0.30, y - size * 0.34), size * 0.20), inks[1], 0.92)
    far = smooth((x - size, y + 24), (x - size * 0.55, y - 14), (x - size * 0.1, y + 12),
                 (x + size * 0.45, y - 20), (x + size, y + 24))  # fmt: skip
    canvas.ink(far, inks[0], 0.55)
    near = smooth((x - size, y + 27), (x - size * 0.2, y - 4), (x + size * 0.3, y + 16),
                  (x + size * 0.6, y + 6), (x + size, y + 27))  # fmt: skip
    canvas.ink(near, inks[0], 0.92)


def _sprig(canvas: Canvas, inks: tuple[Colour, ...], at: tuple[float, float], size: float) -> None:
    x, y = at
    stem = smooth((x - 4, y + size * 0.8), (x + 3, y), (x, y - size * 0.75))
    canvas.line([stem], 2.2, 0.92, inks[0])
    for number, share in enumerate(np.linspace(0.12, 0.9, 7).tolist()):
        foot = stem[round(share * (len(stem) - 1))]
        side = 1 if number % 2 else -1
        long = size * (0.52 - 0.30 * share)
        angle = -0.75
        tip = foot + long * np.array([side * np.cos(angle), np.sin(angle)])
        across = np.array([np.sin(angle) * side, -np.cos(angle)]) * long * 0.2
        middle = (foot + tip) / 2
        leaf = join(smooth(tuple(foot), tuple(middle + across), tuple(tip)),
                    smooth(tuple(tip), tuple(middle - across), tuple(foot)))  # fmt: skip
        canvas.ink(leaf, inks[0], 0.92)


def _arcs(canvas: Canvas, inks: tuple[Colour, ...], at: tuple[float, float], size: float) -> None:
    x, y = at
    for number, share in enumerate((0.95, 0.70, 0.45, 0.20)):
        angle = np.linspace(np.pi, 2 * np.pi, 40)
        arc = np.column_stack(
            [x + size * 0.75 * share * np.cos(angle), y + 22 + size * share * np.sin(angle)]
        )
        canvas.line([arc], size * 0.12, 0.92, inks[number % 2])

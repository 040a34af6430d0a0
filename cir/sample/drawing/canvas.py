"""A picture in the making: pieces of cloth on one another, then on a studio ground."""

from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cir.sample.drawing import light
from cir.sample.drawing.cloth import Cloth
from cir.sample.drawing.curves import Points
from cir.sample.drawing.light import Drape, Field, Fold
from cir.sample.drawing.patterns import Spot
from cir.sample.palette import Colour, plane

WIDTH, HEIGHT = 384, 480
_FINE = 4  # outlines are drawn this much larger, then averaged


@dataclass(frozen=True)
class Piece:
    """A piece of cloth within one outline.

    Attributes:
        outline: closed, in design units.
        cloth: what it is made of.
        turn: angle of the grain of the cloth, in degrees.
        folds: its creases.
        edge, body: how much its rim and its middle stand out.
        tone: brightness; below 1 for insides and undersides.
        ripple: strength of the small unevenness of soft cloth.
        casts: strength of the shadow on what lies below.
        bow: how far the pattern's rows hang in the middle.
        drape: the waves of a skirt.
        flare: how much wider the pattern is at the bottom than at the top.
    """

    outline: Points
    cloth: Cloth
    turn: float = 0.0
    folds: tuple[Fold, ...] = ()
    edge: float = 1.1
    body: float = 8.0
    tone: float = 1.0
    ripple: float = 1.0
    casts: float = 0.22
    bow: float = 3.0
    flare: float = 0.0
    drape: Drape | None = None


@dataclass
class _Box:
    """A part of the picture in whole even pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def at(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def size(self) -> tuple[int, int]:
        return self.right - self.left, self.bottom - self.top


@dataclass
class Canvas:
    """Draws in design units around the point (0, middle), which becomes the picture's centre.

    Colours are held plane by plane, (3, height, width): numpy is several times faster with them
    than with the three levels of a pixel side by side.
    """

    random: Generator
    scale: float = 1.0
    middle: float = 240.0
    sway: float = 1.0
    colour: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((3, HEIGHT, WIDTH), dtype=np.float32)
    )
    cover: Field = field(default_factory=lambda: np.zeros((HEIGHT, WIDTH), dtype=np.float32))

    @cached_property
    def _warp(self) -> NDArray[np.float64]:
        """Tilt, two amplitudes and three phases: no garment lies exactly straight."""
        draw = self.random.uniform(-1, 1, size=6) * [0.008, 1.3, 1.0, np.pi, np.pi, np.pi]
        return draw * [self.sway, self.sway, self.sway, 1, 1, 1]

    def to_pixels(self, points: Points) -> Points:
        """Where points of the design are in the picture."""
        tilt, wide, high, *phases = self._warp
        x = points[:, 0] * self.scale
        y = (points[:, 1] - self.middle) * self.scale
        across = x - tilt * y + wide * np.sin(y / 60 + phases[0]) + 0.5 * np.sin(y / 23 + phases[2])
        down = y + tilt * x + high * np.sin(x / 48 + phases[1])
        return np.column_stack([across + WIDTH / 2, down + HEIGHT / 2])

    def lay(self, piece: Piece) -> None:
        """Lay a piece of cloth on what is there."""
        outline = self.to_pixels(piece.outline)
        box = _box_of(outline)
        mask = _coverage(outline, [len(outline)], box)
        if piece.casts:
            self._cast(mask, box, piece.casts)
        bright, slopes = self._lit(piece, mask, box)
        spot = Spot(self.scale, box.size, lambda: self._grain(piece, box, slopes))
        albedo = piece.cloth.colours(spot)
        shaded = _shaded(albedo, bright * piece.cloth.weave(spot), piece.cloth.sheen)
        self._blend(shaded, mask, box)

    def line(
        self,
        curves: list[Points],
        width: float,
        strength: float,
        colour: Colour | None = None,
        relief: float = 0.0,
    ) -> None:
        """Draw lines on the cloth: seams as darker lines, threads and cords in their own colour.

        Args:
            width: in design units.
            strength: 1 covers.
            colour: without one the cloth beneath is darkened.
            relief: strength of a bright edge along the lower right, as pressed seams have.
        """
        points = self.to_pixels(np.vstack(curves))
        box = _box_of(points)
        mask = _coverage(points, [len(curve) for curve in curves], box, width * self.scale)
        rows = self._colours(box)
        if relief:
            moved = np.roll(mask, (1, 1), axis=(0, 1)) * self.cover[box.at]
            rows += relief * np.maximum(moved - mask, 0) * (0.25 + 0.5 * rows)
        veil = mask * strength * self.cover[box.at]
        rows *= 1.0 - veil
        if colour is not None:
            rows += veil * plane(colour)

    def ink(self, outline: Points, colour: Colour, strength: float) -> None:
        """Print an area on the cloth: the light and shadow beneath stay visible."""
        path = self.to_pixels(outline)
        box = _box_of(path)
        veil = _coverage(path, [len(path)], box) * strength * self.cover[box.at]
        rows = self._colours(box)
        level = rows.mean(axis=0)
        usual = max(float(level[veil > 0.5].mean()) if (veil > 0.5).any() else 1.0, 0.02)
        light_here = np.clip(level / usual, 0.6, 1.2)
        rows *= 1.0 - veil
        rows += veil * plane(colour) * light_here

    def finish(self) -> Image.Image:
        """The picture, on its ground, with its shadow."""
        picture = _ground() * (self._shadow() * (1.0 - self.cover))
        picture += self.colour
        picture *= np.float32(255)
        picture += np.float32(0.5)
        planes = np.clip(picture, 0, 255, out=picture).astype(np.uint8)
        return Image.merge("RGB", [Image.fromarray(plane) for plane in planes])

    def _colours(self, box: _Box) -> NDArray[np.float32]:
        return self.colour[(slice(None), *box.at)]

    def _cast(self, mask: Field, box: _Box, strength: float) -> None:
        """Darken what lies below and to the right of a new piece."""
        wide = _Box(box.left - 8, box.top - 8, box.right + 12, box.bottom + 12)
        inside = _clipped(wide)
        shade = light.blur(np.pad(mask, ((8, 12), (8, 12))), 3.0)
        shade = np.roll(shade, (4, 2), axis=(0, 1))
        rows = slice(inside.top - wide.top, inside.bottom - wide.top)
        columns = slice(inside.left - wide.left, inside.right - wide.left)
        self._colours(inside)[:] *= 1.0 - strength * shade[rows, columns]

    def _lit(self, piece: Piece, mask: Field, box: _Box) -> tuple[Field, tuple[Field, Field]]:
        """How bright the piece is; and its slopes down and to the right, at half the size."""
        small = light.halved(mask)
        relief = light.rim(small, piece.edge)
        vault = light.vault(small, piece.body * self.scale)
        corner = np.array([box.left, box.top])
        folds = [
            ((self.to_pixels(fold.path) - corner) / 2, fold.width * self.scale / 2, fold.depth)
            for fold in piece.folds
        ]
        relief += light.creased(small.shape, folds)
        if piece.ripple:
            relief += self._ripples(small.shape, piece.ripple)
        if piece.drape is not None:
            rows = np.arange(box.top + 1, box.bottom, 2, dtype=np.float32)[:, None] - HEIGHT / 2
            columns = np.arange(box.left + 1, box.right, 2, dtype=np.float32)[None, :] - WIDTH / 2
            relief += piece.drape.height(columns / self.scale, rows / self.scale + self.middle)
        bright, down, right = light.lit(relief, vault)
        return light.resize(bright, box.size) * np.float32(piece.tone), (down, right)

    def _ripples(self, shape: tuple[int, int], strength: float) -> Field:
        """Unevenness at two sizes, longer than wide: cloth hangs."""
        height = np.zeros(shape, dtype=np.float32)
        for across, along, size in ((15, 44, 1.25), (7, 18, 0.26)):
            grid = (shape[0] // along + 3, shape[1] // across + 3)
            noise = self.random.standard_normal(grid).astype(np.float32)
            height += light.resize(noise, (shape[1], shape[0])) * np.float32(size * strength)
        return height

    def _grain(self, piece: Piece, box: _Box, slopes: tuple[Field, Field]) -> tuple[Field, Field]:
        """Where each pixel is on the cloth, in design units: folds and turns move the pattern."""
        width, height = box.size
        down, right = (light.resize(each, box.size) for each in slopes)
        across = (np.arange(width, dtype=np.float32) + box.left + 0.5 - WIDTH / 2) / self.scale
        along = (np.arange(height, dtype=np.float32) + box.top + 0.5 - HEIGHT / 2) / self.scale
        x, y = across[None, :] - 2.2 * right, along[:, None] - 2.2 * down
        if piece.turn:
            angle = np.deg2rad(piece.turn)
            cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
            x, y = x * cosine + y * sine, y * cosine - x * sine
        middle = piece.outline.mean(axis=0)
        half = np.float32(np.ptp(piece.outline[:, 0]) / 2)
        if piece.turn == 0:
            share = (across[None, :] - np.float32(middle[0])) / half
            y = y - np.float32(piece.bow) * (1 - share * share)
        if piece.flare:
            tall = np.float32(np.ptp(piece.outline[:, 1]))
            top = np.float32(piece.outline[:, 1].min() - self.middle)
            x = x / (1.0 + np.float32(piece.flare) * np.clip((y - top) / tall, 0, 1))
        return x, y

    def _blend(self, colours: NDArray[np.float32], mask: Field, box: _Box) -> None:
        rows = self._colours(box)
        colours -= rows
        colours *= mask
        rows += colours
        self.cover[box.at] += mask * (1.0 - self.cover[box.at])

    def _shadow(self) -> Field:
        """A soft shadow of the whole, away from the light, and a tight one where it touches."""
        quarter = light.resize(self.cover, (WIDTH // 4, HEIGHT // 4))
        far = np.roll(light.blur(quarter, 3.0), (3, 2), axis=(0, 1))
        near = np.roll(light.blur(quarter, 1.0), (1, 1), axis=(0, 1))
        light_left: Field = 1.0 - light.resize(0.20 * far + 0.16 * near, (WIDTH, HEIGHT))
        return light_left


def _clipped(box: _Box) -> _Box:
    return _Box(max(box.left, 0), max(box.top, 0), min(box.right, WIDTH), min(box.bottom, HEIGHT))


def _box_of(points: Points) -> _Box:
    """The even pixels around the points, with a rim; at least a few pixels of the picture."""
    left, top = (np.floor(points.min(axis=0) / 2).astype(int) * 2 - 4).tolist()
    right, bottom = (np.ceil(points.max(axis=0) / 2).astype(int) * 2 + 4).tolist()
    left, top = min(max(left, 0), WIDTH - 8), min(max(top, 0), HEIGHT - 8)
    return _Box(left, top, max(min(right, WIDTH), left + 8), max(min(bottom, HEIGHT), top + 8))


def _coverage(points: Points, lengths: list[int], box: _Box, width: float | None = None) -> Field:
    """How much of each pixel of the box lies within outlines, or under lines of this width.

    Args:
        points: of one path after the other.
        lengths: the number of points of each path.
    """
    large = Image.new("L", (box.size[0] * _FINE, box.size[1] * _FINE), 0)
    draw = ImageDraw.Draw(large)
    levels = ((points - np.array([box.left, box.top])) * _FINE).ravel().tolist()
    end = 0
    for length in lengths:
        start, end = end, end + 2 * length
        if width is None:
            draw.polygon(levels[start:end], fill=255)
        else:
            draw.line(
                levels[start:end], fill=255, width=max(1, round(width * _FINE)), joint="curve"
            )
    cover: Field = np.asarray(large.reduce(_FINE), dtype=np.float32) / np.float32(255)
    return cover


def _shaded(albedo: NDArray[np.float32], bright: Field, sheen: float) -> NDArray[np.float32]:
    """Colours under light: shadows grow deeper in colour, highlights paler."""
    dim: Field = np.minimum(bright, np.float32(1))
    glow: Field = np.maximum(bright - np.float32(1), np.float32(0))
    depth: Field = np.float32(0.35) * dim * (1.0 - dim)
    # albedo * (dim - depth * (1 - albedo)) + glow * (sheen + 0.55 * albedo), in few passes
    shaded: NDArray[np.float32] = albedo * depth
    shaded += dim - depth + np.float32(0.55) * glow
    shaded *= albedo
    shaded += glow * np.float32(sheen)
    return shaded


@lru_cache(maxsize=1)
def _ground() -> NDArray[np.float32]:
    """A studio backdrop: white, a little darker to the corners."""
    y = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None] + 0.15
    x = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :]
    away = np.clip(np.sqrt(x * x + y * y) / 1.5, 0, 1) ** 2
    centre = np.array([1.0, 1.0, 1.0], dtype=np.float32)
    corner = np.array([0.984, 0.984, 0.983], dtype=np.float32)
    ground: NDArray[np.float32] = plane(centre) + plane(corner - centre) * away
    return ground

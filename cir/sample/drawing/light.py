"""Light on cloth: a piece of cloth is a height field, and its slopes are lit from the upper left.

Everything here works at half the picture's resolution: light changes slowly, and a quarter of the
pixels takes a quarter of the time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cir.sample.drawing.curves import Points, stroke

Field = NDArray[np.float32]

_TOWARDS = (-0.42, -0.55, 0.72)
"""Where the light is: to the left, above, and in front of the picture."""


@dataclass(frozen=True)
class Fold:
    """A crease along a curve.

    Attributes:
        path: in design units.
        width: of the crease at its widest, in design units.
        depth: above 0 a ridge, below 0 a valley; 1 is a clear fold.
    """

    path: Points
    width: float
    depth: float


@dataclass(frozen=True)
class Drape:
    """Waves of a wide cloth that hangs from a line and opens downwards.

    Attributes:
        top, bottom: (half width, y) where the waves begin and where they are full.
        knots: places of crests and valleys, -1 left to 1 right, rising.
        levels: height at each knot, about -1 to 1.
        depth: of a full wave, in pixels.
    """

    top: tuple[float, float]
    bottom: tuple[float, float]
    knots: tuple[float, ...]
    levels: tuple[float, ...]
    depth: float

    def level(self, share: NDArray[np.floating]) -> NDArray[np.floating]:
        """The wave at places from -1 to 1: half cosines between the knots."""
        knots, levels = np.array(self.knots), np.array(self.levels)
        at = np.clip(np.searchsorted(knots, share) - 1, 0, len(knots) - 2)
        part = np.clip((share - knots[at]) / (knots[at + 1] - knots[at]), 0, 1)
        ease = (1 - np.cos(part * np.pi)) / 2
        wave: NDArray[np.floating] = levels[at] + (levels[at + 1] - levels[at]) * ease
        return wave

    def height(self, x: Field, y: Field) -> Field:
        """The waves at design coordinates, x (1, width) and y (height, 1)."""
        (narrow, start), (wide, end) = self.top, self.bottom
        share = np.clip((y - start) / (end - start), 0, 1)
        spread = x / (narrow + (wide - narrow) * share)
        grid = np.linspace(-1.15, 1.15, 400)
        wave = np.interp(spread, grid, self.level(grid))
        deep: Field = (wave * self.depth * (0.12 + 0.88 * share)).astype(np.float32)
        return deep


def blur(field: Field, radius: float) -> Field:
    """Three box filters in a row, close to a Gaussian with this standard deviation."""
    size = max(1, round(radius))
    for axis in (0, 1):
        for _ in range(3):
            field = _box(field, size, axis)
    return np.ascontiguousarray(field)


def _box(field: Field, size: int, axis: int) -> Field:
    """The mean over `size` pixels to both sides; nothing lies beyond the field."""
    rows = field if axis == 0 else field.T
    span = 2 * size + 1
    sums = np.zeros((rows.shape[0] + span, rows.shape[1]), dtype=np.float32)
    inner = sums[size + 1 : size + 1 + len(rows)]
    np.cumsum(rows, axis=0, out=inner)
    sums[size + 1 + len(rows) :] = inner[-1]
    mean: Field = (sums[span:] - sums[:-span]) * np.float32(1 / span)
    return mean if axis == 0 else mean.T


def resize(field: Field, size: tuple[int, int]) -> Field:
    """The field at another (width, height), smoothly."""
    image = Image.fromarray(field).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32)


def halved(field: Field) -> Field:
    """The field at half its size, which is even: the mean of each four."""
    pairs = field[:, 0::2] + field[:, 1::2]
    small: Field = (pairs[0::2] + pairs[1::2]) * np.float32(0.25)
    return small


def part(field: Field) -> Field:
    """What is beyond the next lower whole number; `% 1.0` gives the same, many times slower."""
    beyond: Field = field - np.floor(field)
    return beyond


def rim(mask: Field, height: float) -> Field:
    """The height of a shape that is rounded at its edge; the mask is coverage, 0 to 1."""
    level = np.clip(2.0 * blur(mask, 2.4) - 1.0, 0.0, 1.0)
    dome: Field = level * (2.0 - level) * np.float32(height)
    return dome


def vault(mask: Field, height: float) -> Field:
    """The height of a shape that is vaulted from its left to its right, gently."""
    small = (max(4, mask.shape[1] // 4), max(4, mask.shape[0] // 4))
    padded = np.pad(resize(mask, small), ((0, 0), (12, 12)))
    for size in (5, 4, 3):
        padded = _box(padded, size, 1)
    wide = np.ascontiguousarray(padded[:, 12:-12])
    return resize(wide * wide, (mask.shape[1], mask.shape[0])) * np.float32(height)


def creased(shape: tuple[int, int], folds: list[tuple[Points, float, float]]) -> Field:
    """The height field of folds, (path, width, depth) each, in this field's own pixels."""
    height = np.zeros(shape, dtype=np.float32)
    for least, most, radius in ((0.0, 4.5, 1.0), (4.5, 9.0, 2.0), (9.0, 1e9, 5.0)):
        chosen = [fold for fold in folds if least <= fold[1] < most]
        if not chosen:
            continue
        layer = Image.new("F", (shape[1], shape[0]), 0.0)
        draw = ImageDraw.Draw(layer)
        for path, width, depth in chosen:
            brush = stroke(path, width)
            draw.polygon(list(map(tuple, brush.tolist())), fill=depth * width * 0.42)
        height += blur(np.asarray(layer, dtype=np.float32), radius)
    return height


def lit(relief: Field, vault: Field) -> tuple[Field, Field, Field]:
    """How bright cloth is, 1 where it is flat; and its slopes down and to the right.

    Of the vault only the slope across counts: cloth hangs in a tube, its hem is not rounded off.
    """
    down = np.gradient(relief, axis=0)
    right = np.gradient(relief + vault, axis=1)
    facing = 1.0 / np.sqrt(1.0 + down * down + right * right)
    x, y, z = _TOWARDS
    bright = (z - x * right - y * down) * facing / z
    return np.clip(0.30 + 0.70 * bright, 0.25, 1.5).astype(np.float32), down, right

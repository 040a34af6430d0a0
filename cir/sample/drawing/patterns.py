"""Patterns: what is woven into cloth or printed on it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from cir.sample.drawing.light import Field, part
from cir.sample.palette import Colour, plane

_FINE = 3
_PETALS = 5
_POLLEN = np.array([0.56, 0.47, 0.26], dtype=np.float32)

Albedo = NDArray[np.float32]
"""(3, height, width): colours, 0 to 1."""


@dataclass(frozen=True)
class Spot:
    """The part of a picture that cloth is asked to fill.

    Attributes:
        scale: pixels in a design unit.
        size: (width, height) in pixels.
        place: finds `u` and `v`, which plain cloth needs not.
    """

    scale: float
    size: tuple[int, int]
    place: Callable[[], tuple[Field, Field]]

    @cached_property
    def _grain(self) -> tuple[Field, Field]:
        return self.place()

    @property
    def u(self) -> Field:
        """Where each pixel is on the cloth, across it, in design units; (height, width)."""
        return self._grain[0]

    @property
    def v(self) -> Field:
        """Likewise along the cloth."""
        return self._grain[1]


@dataclass(frozen=True)
class Brush:
    """What a painter has in hand: the place to fill, and the fields of `cloth.Cloth`."""

    spot: Spot
    accents: tuple[Colour, ...]
    variant: int
    seed: int


def _mix(ground: Albedo, colour: Colour, share: Field) -> Albedo:
    mixed = plane(colour) - ground
    mixed *= share
    mixed += ground
    return mixed


def _bars(position: Field, period: float, width: float, scale: float) -> Field:
    """1 within bars of this width, one a period, with edges as soft as a pixel."""
    away = np.abs(part(position / np.float32(period)) - 0.5) * np.float32(period)
    bars: Field = np.clip((np.float32(width / 2) - away) * np.float32(scale) + 0.5, 0.0, 1.0)
    return bars


def striped(ground: Albedo, brush: Brush) -> Albedo:
    """Across: Breton, even or fine stripes, or a band of three."""
    accent, v, scale = brush.accents[0], brush.spot.v, brush.spot.scale
    form = brush.variant % 4
    if form == 0:
        return _mix(ground, accent, _bars(v, 19, 7, scale))
    if form == 1:
        return _mix(ground, accent, _bars(v, 26, 11, scale))
    if form == 2:
        return _mix(ground, accent, _bars(v, 13, 3.6, scale))
    wide = _bars(v, 40, 10, scale)
    thin = np.maximum(_bars(v - 10, 40, 2.6, scale), _bars(v + 10, 40, 2.6, scale))
    return _mix(ground, accent, np.maximum(wide, thin))


def upright(ground: Albedo, brush: Brush) -> Albedo:
    """Lengthwise: shirting or pin stripes."""
    accent, u, scale = brush.accents[0], brush.spot.u, brush.spot.scale
    form = brush.variant % 3
    if form == 0:
        return _mix(ground, accent, _bars(u, 14, 4.0, scale))
    if form == 1:
        return _mix(ground, accent, _bars(u, 18, 2.4, scale) * np.float32(0.9))
    pair = np.maximum(_bars(u, 20, 3.2, scale), _bars(u + 6.5, 20, 3.2, scale))
    return _mix(ground, accent, pair)


def checked(ground: Albedo, brush: Brush) -> Albedo:
    """Gingham, a tartan or a window pane: bars both ways that mix where they cross."""
    accent, u, v, scale = brush.accents[0], brush.spot.u, brush.spot.v, brush.spot.scale
    form = brush.variant % 3
    if form == 0:
        across, along = _bars(v, 18, 9, scale), _bars(u, 18, 9, scale)
        return _mix(ground, accent, (across + along) * np.float32(0.42))
    if form == 1:
        dark = ground * np.float32(0.45)
        wide = (_bars(u, 44, 17, scale) + _bars(v, 44, 17, scale)) * np.float32(0.40)
        woven = ground + (dark - ground) * wide
        thin = np.maximum(_bars(u + 22, 44, 2.6, scale), _bars(v + 22, 44, 2.6, scale))
        woven = _mix(woven, accent, thin * np.float32(0.9))
        fine = np.maximum(_bars(u + 14, 44, 1.4, scale), _bars(v + 14, 44, 1.4, scale))
        return _mix(woven, accent, fine * np.float32(0.55))
    pane = np.maximum(_bars(u, 30, 2.4, scale), _bars(v, 30, 2.4, scale))
    second = np.maximum(_bars(u + 5, 30, 1.3, scale), _bars(v + 5, 30, 1.3, scale))
    return _mix(ground, accent, np.maximum(pane * 0.9, second * 0.6).astype(np.float32))


def dotted(ground: Albedo, brush: Brush) -> Albedo:
    """Polka dots on a staggered grid."""
    step, radius = ((22.0, 4.8), (15.0, 2.7), (29.0, 7.4))[brush.variant % 3]
    row = np.floor(brush.spot.v / np.float32(step / 2))
    x = part(brush.spot.u / np.float32(step) + (row % 2) * 0.5) - 0.5
    y = (brush.spot.v / np.float32(step / 2) - row - 0.5) * 0.5
    away = np.sqrt(x * x + y * y) * np.float32(step)
    return _mix(ground, brush.accents[0], np.clip((radius - away) * brush.spot.scale + 0.5, 0, 1))


def blocked(ground: Albedo, brush: Brush) -> Albedo:
    """The upper part in another colour, with a narrow band between."""
    edge = np.float32((-62, -48, -74)[brush.variant % 3])
    below = np.clip((brush.spot.v - edge) * brush.spot.scale + 0.5, 0, 1)
    line = _bars(brush.spot.v - edge - 6 + 100, 200, 5, brush.spot.scale) * (
        np.abs(brush.spot.v - edge) < 20
    )
    top = _mix(ground, brush.accents[0], 1.0 - below)
    return _mix(top, brush.accents[-1], line.astype(np.float32)) if brush.variant % 2 else top


def floral(ground: Albedo, brush: Brush) -> Albedo:
    """Scattered blossoms and leaves, as on printed cotton."""
    large = _enlarged(ground)
    draw = ImageDraw.Draw(large)
    step = (25.0, 18.0, 34.0)[brush.variant % 3] * brush.spot.scale
    first, second, leaf = brush.accents[:3]
    hearts = [(petal * np.float32(0.4) + _POLLEN).astype(np.float32) for petal in (first, second)]
    petals = [(ink(first), ink(hearts[0])), (ink(second), ink(hearts[1]))]
    for leaves, discs, other in _sprigs(np.random.default_rng(brush.seed), brush.spot.size, step):
        petal, heart = petals[other]
        for path in leaves:
            draw.polygon(path, fill=ink(leaf))
        for disc, fill in zip(discs, (*[petal] * _PETALS, heart, ink(second)), strict=True):
            draw.ellipse(disc, fill=fill)
    painted = np.asarray(large.reduce(_FINE)).transpose(2, 0, 1).astype(np.float32)
    painted /= np.float32(255)
    return painted


def _sprigs(
    random: Generator, size: tuple[int, int], step: float
) -> Iterator[tuple[list[list[float]], list[list[float]], bool]]:
    """Each sprig: its leaves, its discs (petals, heart, bud), and whether of the other colour.

    Places are in the enlarged picture: x and y in turn for leaves, corners for discs.
    """
    rows = np.arange(-1, int(size[1] / (step * 0.86)) + 2)
    columns = np.arange(-1, int(size[0] / step) + 2)
    row, column = (each.ravel() for each in np.meshgrid(rows, columns, indexing="ij"))
    chance = random.random((len(row), 5))
    shift = (-0.24 + 0.48 * chance[:, :2]) * step
    x = ((column + (row % 2) * 0.5) * step + shift[:, 0]) * _FINE
    y = (row * step * 0.86 + shift[:, 1]) * _FINE
    at = np.stack([x, y], axis=1)
    turn = 2 * np.pi * chance[:, 2]
    wide = step * _FINE * (0.17 + 0.08 * chance[:, 4])
    leaves = np.stack([_leaves(at, turn + side, wide * 2.3) for side in (0.9, 3.6)], axis=1)
    angle = turn[:, None] + np.arange(_PETALS) * 2 * np.pi / _PETALS
    reach = (wide * 0.82)[:, None]
    petals = [x[:, None] + reach * np.cos(angle), y[:, None] + reach * np.sin(angle)]
    bud = [
        x + step * _FINE * 0.5 * np.cos(turn + 2.2),
        y + step * _FINE * 0.42 * np.sin(turn + 2.2),
    ]
    centres = np.concatenate([np.stack(petals, axis=2), at[:, None], np.stack(bud, 1)[:, None]], 1)
    radius = (wide[:, None] * np.array([0.68] * _PETALS + [0.42, 0.30]))[..., None]
    discs = np.concatenate([centres - radius, centres + radius], axis=2)
    return zip(leaves.tolist(), discs.tolist(), (chance[:, 3] >= 0.62).tolist(), strict=True)


def _leaves(
    at: NDArray[np.float64], angle: NDArray[np.float64], long: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One leaf at each place: (n, 36), x and y in turn."""
    along = np.linspace(0, 1, 9)
    half = np.sin(along * np.pi) * 0.19
    ahead = np.concatenate([along, along[::-1]]) * long[:, None]
    aside = np.concatenate([half, -half[::-1]]) * long[:, None]
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x = at[:, :1] + ahead * cosine - aside * sine
    y = at[:, 1:] + ahead * sine + aside * cosine
    return np.stack([x, y], axis=2).reshape(len(at), -1)


def ink(colour: Colour) -> tuple[int, int, int]:
    """The colour as Pillow's drawing takes it."""
    red, green, blue = (round(float(level) * 255) for level in colour)
    return red, green, blue


def _enlarged(ground: Albedo) -> Image.Image:
    """A larger picture of the plain ground, to draw on."""
    height, width = ground.shape[1:]
    return Image.new("RGB", (width * _FINE, height * _FINE), ink(ground[:, 0, 0]))


PAINTERS: Mapping[str, Callable[[Albedo, Brush], Albedo]] = {
    "striped": striped,
    "upright": upright,
    "checked": checked,
    "polka dot": dotted,
    "colour-block": blocked,
    "floral": floral,
}

"""Cloth: its colour, its weave and the pattern on it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cir.sample.drawing import patterns
from cir.sample.drawing.light import Field, part
from cir.sample.drawing.patterns import Spot
from cir.sample.palette import Colour, plane


@dataclass(frozen=True)
class Cloth:
    """A material.

    Attributes:
        colour: the ground.
        accents: what patterns add to it.
        pattern: as in the catalogue, "solid" for none.
        variant: which of a pattern's forms, any whole number.
        seed: for what is scattered over the cloth.
        texture: "jersey", "knit", "rib", "twill", "woven" or "leather".
        sheen: how much light it throws back, 0 to 1.
    """

    colour: Colour
    accents: tuple[Colour, ...] = ()
    pattern: str = "solid"
    variant: int = 0
    seed: int = 0
    texture: str = "jersey"
    sheen: float = 0.10

    def colours(self, spot: Spot) -> NDArray[np.float32]:
        """(3, height, width): the cloth without light and shadow."""
        plain = np.broadcast_to(plane(self.colour), (3, spot.size[1], spot.size[0]))
        painter = patterns.PAINTERS.get(self.pattern)
        if painter is None:
            return plain
        return painter(plain, patterns.Brush(spot, self.accents, self.variant, self.seed))

    def weave(self, spot: Spot) -> Field:
        """(height, width): how the threads vary the brightness, around 1."""
        threads: Field = _grain(spot, _UNEVENNESS.get(self.texture, 0.0))
        if self.texture == "knit":
            column = np.abs(part(spot.u / 3.6) - 0.5)
            stitch = np.sin((spot.v / 3.4 + column * 1.4) * np.float32(2 * np.pi))
            threads = threads + 0.055 * stitch + 0.05 * (column * 4.0 - 1.0)
        elif self.texture == "rib":
            threads = threads + 0.10 * np.sin(spot.u * np.float32(2 * np.pi / 4.4))
        elif self.texture == "twill":
            threads = threads + 0.03 * np.sin((spot.u + spot.v) * np.float32(2 * np.pi / 2.7))
        return threads + np.float32(1)


_UNEVENNESS = {"jersey": 0.012, "woven": 0.012, "twill": 0.016, "leather": 0.022}


def _grain(spot: Spot, strength: float) -> Field:
    """Fine, fixed noise: the same at the same place of every picture."""
    width, height = spot.size
    grain: Field = _NOISE[:height, :width] * np.float32(strength)
    return grain


_NOISE: Field = np.random.default_rng(20).standard_normal((480, 384)).astype(np.float32)

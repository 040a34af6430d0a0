"""Draws the garments of the sample catalogue."""

from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from cir.sample.designs import Design
from cir.sample.drawing import bags, gowns, knits, trousers, woven
from cir.sample.drawing.canvas import Canvas
from cir.sample.drawing.cloth import Cloth
from cir.sample.palette import ACCENTS, BLOSSOMS, parse, shade_of

_MAKERS: Mapping[str, Callable[[Canvas, Design, Cloth], None]] = {
    "t-shirt": knits.t_shirt,
    "top": knits.top,
    "sweater": knits.sweater,
    "sweatshirt": knits.sweatshirt,
    "shirt": woven.shirt,
    "jacket": woven.jacket,
    "dress": gowns.dress,
    "skirt": gowns.skirt,
    "trousers": trousers.trousers,
    "shorts": trousers.shorts,
    "handbag": bags.handbag,
    "tote bag": bags.tote_bag,
}
_LENGTHWISE = frozenset({"shirt", "trousers"})
_SEED = 7401


def draw(design: Design) -> Image.Image:
    """The picture of a design, 384 x 480 pixels; the same design always gives the same picture."""
    random = _chance(design)
    cloth = _cloth(design, random)
    canvas = Canvas(random)
    _MAKERS[design.garment](canvas, design, cloth)
    return canvas.finish()


def cloth_of(design: Design) -> Cloth:
    """What the design is made of, before a garment gives it a weave and a sheen."""
    return _cloth(design, _chance(design))


def _chance(design: Design) -> np.random.Generator:
    return np.random.default_rng([_SEED, design.id])


def _cloth(design: Design, random: np.random.Generator) -> Cloth:
    colour = shade_of(design.colour, random)
    variant = int(random.integers(12))
    choices = ACCENTS[design.colour]
    if design.pattern == "floral":
        accents = tuple(parse(code) for code in BLOSSOMS[design.colour])
    else:
        start = int(random.integers(len(choices)))
        accents = tuple(parse(code) for code in (*choices[start:], *choices[:start]))
    lengthwise = design.pattern == "striped" and design.garment in _LENGTHWISE
    pattern = "upright" if lengthwise else design.pattern
    return Cloth(colour, accents, pattern, variant, int(random.integers(2**31)))

"""The colours of the sample catalogue: refined versions of the words that people use."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Colour = NDArray[np.float32]
"""(3,): red, green and blue, 0 to 1, as screens show them."""

SHADES: Mapping[str, str] = {
    "black": "#26272b",
    "white": "#efede7",
    "grey": "#969798",
    "red": "#b8282f",
    "navy blue": "#253251",
    "blue": "#5788b8",
    "green": "#3a7d5a",
    "olive": "#70703f",
    "yellow": "#ebc043",
    "pink": "#e5a0b0",
    "purple": "#6f4a8c",
    "brown": "#6f4a34",
    "beige": "#d6c2a3",
}

ACCENTS: Mapping[str, Sequence[str]] = {
    "black": ("#f1eee7", "#c9b08a", "#b9bcc0"),
    "white": ("#2a3a5e", "#33363b", "#b8383c"),
    "grey": ("#f4f3f0", "#3c4147", "#f4f3f0"),
    "red": ("#f6efe4", "#f6efe4", "#2b2f45"),
    "navy blue": ("#f3f0e9", "#f3f0e9", "#c9a25f"),
    "blue": ("#f6f5f1", "#22304f", "#f6f5f1"),
    "green": ("#f3efe2", "#f3efe2", "#e0c068"),
    "olive": ("#efe8d4", "#efe8d4", "#c9b98c"),
    "yellow": ("#fbf7ec", "#5a4a38", "#fbf7ec"),
    "pink": ("#fbf5f3", "#a34a62", "#fbf5f3"),
    "purple": ("#f0e8f4", "#e9dcf0", "#c9a6d8"),
    "brown": ("#ead9c0", "#ead9c0", "#c98f57"),
    "beige": ("#6b4c37", "#fbf7ef", "#2f3c57"),
}
"""What stripes, checks and dots of a colour are combined with; any of them leaves it the colour."""

BLOSSOMS: Mapping[str, Sequence[str]] = {
    "black": ("#e9b7b4", "#f3e9dc", "#7d9a78"),
    "white": ("#d97f86", "#7b9fc4", "#86a37c"),
    "grey": ("#f5f1ee", "#d9a5ad", "#5f6b62"),
    "red": ("#f8e9de", "#f0b7a8", "#5d1a24"),
    "navy blue": ("#f1e6da", "#d99aa0", "#7f9fae"),
    "blue": ("#fbf8f0", "#f4d9a8", "#244b78"),
    "green": ("#f5ecd8", "#edbdb0", "#174a35"),
    "olive": ("#f1e6cb", "#d9a08a", "#43472a"),
    "yellow": ("#fdf9ee", "#d9745a", "#7c8a4e"),
    "pink": ("#fdf6f3", "#bb4f68", "#7d9573"),
    "purple": ("#eddcf2", "#d9a7cf", "#3c2855"),
    "brown": ("#f0dcc0", "#d59a6c", "#3d2a1f"),
    "beige": ("#b86b5c", "#fbf6ec", "#76845f"),
}
"""Two colours of petals and one of leaves, for each ground."""


def parse(code: str) -> Colour:
    """The colour that a code such as `#a0b1c2` means."""
    levels = [int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return np.array(levels, dtype=np.float32)


def plane(colour: Colour) -> NDArray[np.float32]:
    """The colour as (3, 1, 1), to be spread over the planes of a picture."""
    return colour[:, None, None]


def cielab(colours: NDArray[np.float32]) -> NDArray[np.float64]:
    """CIELAB of sRGB colours under D65 (CIE 15:2004; IEC 61966-2-1).

    Args:
        colours: (3, ...), 0 to 1.

    Returns:
        (3, ...): L* from 0 to 100, a* and b*.
    """
    levels = colours.astype(np.float64)
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    share = np.tensordot(_XYZ, linear, axes=1)  # of the white's X, Y and Z
    bent = np.where(share > 216 / 24389, np.cbrt(share), (24389 / 27 * share + 16) / 116)
    x, y, z = bent
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
) / np.array([[0.95047], [1.0], [1.08883]])


def shade_of(colour: str, random: Generator) -> Colour:
    """The named colour, a little lighter, darker, warmer or cooler from design to design."""
    base = parse(SHADES[colour])
    light = 1.0 + float(random.uniform(-0.06, 0.06))
    warm = float(random.uniform(-0.012, 0.012))
    varied = base * light + np.array([warm, 0.0, -warm])
    shade: Colour = np.clip(varied, 0.0, 0.95).astype(np.float32)
    return shade

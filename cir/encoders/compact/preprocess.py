"""Pixels as the compact encoder reads them; training and use share this one function."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 160


def pixels(images: Sequence[Image.Image]) -> NDArray[np.uint8]:
    """`(n, 160, 160, 3)` RGB bytes: the whole picture, shrunk or grown to fit, centred on white.

    Nothing is cropped away: a garment often fills the picture from edge to edge.
    """
    batch = np.full((len(images), SIDE, SIDE, 3), 255, dtype=np.uint8)
    for row, image in zip(batch, images, strict=True):
        scale = SIDE / max(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        small = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
        left, top = (SIDE - width) // 2, (SIDE - height) // 2
        row[top : top + height, left : left + width] = np.asarray(small)
    return batch

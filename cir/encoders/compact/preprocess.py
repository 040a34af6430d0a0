"""Pixels as the compact encoder reads them; training and use share this one function."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def pixels(images: Sequence[Image.Image], side: int) -> NDArray[np.uint8]:
    """`(n, side, side, 3)` RGB bytes: the whole picture, shrunk or grown to fit, centred on white.

    Nothing is cropped away: a garment often fills the picture from edge to edge.
    """
    batch = np.full((len(images), side, side, 3), 255, dtype=np.uint8)
    for row, image in zip(batch, images, strict=True):
        scale = side / max(image.size)
        width, height = (max(1, round(length * scale)) for length in image.size)
        small = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
        left, top = (side - width) // 2, (side - height) // 2
        row[top : top + height, left : left + width] = np.asarray(small)
    return batch

"""The yardstick that needs no training: nearest in colours and in ImageNet features.

It sees the reference alone. What an encoder does with an instruction has to show beyond it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cir.encoders.compact.preprocess import pixels

LEVELS = 6  # of each of red, green and blue
GROUND = 245  # pixels at least this bright in all three are ground
BATCH = 64

Rows = NDArray[np.float32]


def yardstick_rows(images: Sequence[Image.Image]) -> Rows:
    """Unit rows: colour histogram and ImageNet features side by side, of equal weight.

    Needs torch, timm and the package with the ImageNet weights (requirements-dev.txt).
    """
    from cir.training.tower import SIDE, imagenet_tower

    tower = imagenet_tower()
    parts = []
    for start in range(0, len(images), BATCH):
        batch = pixels(images[start : start + BATCH], SIDE)
        parts.append(np.concatenate([colour_rows(batch), tower.summary(batch)], axis=1))
    rows: Rows = (np.concatenate(parts) / np.sqrt(2)).astype(np.float32)
    return rows


def colour_rows(batch: NDArray[np.uint8]) -> Rows:
    """`(n, 216)` unit rows of `(n, h, w, 3)` bytes: square roots of a histogram without the ground.

    The inner product of two is the Bhattacharyya coefficient of their histograms.
    """
    rows = np.zeros((len(batch), LEVELS**3), np.float32)
    for row, picture in zip(rows, batch, strict=True):
        colours = picture[(picture < GROUND).any(axis=2)]
        if not len(colours):
            colours = picture.reshape(-1, 3)
        red, green, blue = (colours.astype(np.int64) * LEVELS // 256).T
        counts = np.bincount((red * LEVELS + green) * LEVELS + blue, minlength=LEVELS**3)
        row[:] = np.sqrt(counts / counts.sum())
    return rows

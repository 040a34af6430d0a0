"""Rows of length 1."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cir.encoders.protocol import Embeddings


def normalised(sums: NDArray[np.floating[Any]]) -> Embeddings:
    """`(n, dim)` float32 unit rows along these sums of rows; a sum of nothing stays 0."""
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    rows: Embeddings = (sums / np.maximum(length, 1e-12)).astype(np.float32)
    return rows

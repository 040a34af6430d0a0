"""Rows of length 1."""

import numpy as np
from numpy.typing import NDArray

from cir.encoders.protocol import Embeddings


def unit_rows(rows: NDArray[np.float32], dim: int) -> Embeddings:
    """`(n, dim)` float32 rows divided by their lengths; a row of zeros stays one."""
    rows = rows.astype(np.float32).reshape(-1, dim)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)
    unit: Embeddings = rows / np.where(lengths == 0, np.float32(1), lengths)
    return unit

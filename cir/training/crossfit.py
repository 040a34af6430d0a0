"""Readings of the training photos by readers that were not taught on them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cir.training.attribute_space import AttributeSpace
from cir.training.attributes import Reader, attribute_sizes, flat
from cir.training.checkpoint import load_checkpoint, save_checkpoint
from cir.training.device import on_device
from cir.training.features import Early, Half, late_features
from cir.training.lessons import Lessons, teach
from cir.training.palette import BINS
from cir.training.products import Products
from cir.training.tower import CELLS, Tower, imagenet_tower


def crossfitted_readings(
    products: Products,
    early: Early,
    rows: NDArray[np.int64],
    lessons: Lessons,
    *,
    seed: int,
    work: Path,
    identity: Mapping[str, object],
) -> Half:
    """`(v, n, used)` probabilities in each variant of each of `rows`, else zeros.

    Each half of the rows is read by a tower and a reader taught on the other half
    (Chernozhukov et al. 2018 call it cross-fitting). So they are as unsure, and as often wrong, as
    of a photo never seen, or a little more.
    """
    whole = work / "readings.pt"
    if held := load_checkpoint(whole, identity):
        read_before: Half = held["readings"].numpy()
        return read_before
    halves = _halves(products, rows, seed)
    space = AttributeSpace(attribute_sizes(products))
    readings = np.zeros((len(early.deep), len(products), space.used), np.float16)
    for number, (taught, read) in enumerate((halves, halves[::-1])):
        checkpoint = work / f"lessons-half-{number}.pt"
        tower = imagenet_tower()
        reader = teach(
            tower,
            products,
            early,
            taught,
            lessons,
            seed=seed + number,
            checkpoint=checkpoint,
            identity={**identity, "half": number},
        )
        for variant in range(len(early.deep)):
            readings[variant, read] = _read(tower, reader, space, early.part(variant, read))
    save_checkpoint(whole, identity, {"readings": torch.from_numpy(readings)})
    return readings


def _read(tower: Tower, reader: Reader, space: AttributeSpace, early: Early) -> Half:
    features = on_device(late_features(tower, early)[0]).float()
    with torch.inference_mode():
        logits = flat(reader(features[:, :CELLS], features[:, CELLS, :BINS]))
        read: Half = space.probabilities(logits).half().cpu().numpy()
    return read


def _halves(
    products: Products, rows: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of the rows; products of one name stay together."""
    names = [products.names[row] or f"drawn {row}" for row in rows]
    order = np.random.default_rng(seed).permutation(sorted(set(names)))
    first = set(order[: len(order) // 2].tolist())
    chosen = np.array([name in first for name in names])
    return rows[chosen], rows[~chosen]

"""What the fusion is trained on: pictures as the taught tower sees them, and their readings."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cir.training.attributes import Reader
from cir.training.crossfit import crossfitted_readings
from cir.training.device import on_device
from cir.training.features import VARIANTS, Half, cached_early, late_features
from cir.training.gate import Gate, fitted_gate
from cir.training.lessons import Lessons, teach
from cir.training.outliers import outliers
from cir.training.palette import BINS
from cir.training.products import Products
from cir.training.settings import TrainingSettings
from cir.training.tower import CELLS, SIDE, Tower, imagenet_tower


@dataclass(frozen=True)
class Seen:
    """Of `n` products in `v` variants.

    Attributes:
        tower: taught on the training rows. reader: of its features.
        gate, drawing_gate: whether a picture is of the known kind, and a drawing, by what the
            reader sees.
        features: `(v, n, 26, channels)` of this tower.
        readings: `(v, n, used)` cross-fitted probabilities; zeros for rows held out.
    """

    tower: Tower
    reader: Reader
    gate: Gate
    drawing_gate: Gate
    features: Half
    readings: Half


def look_at(
    products: Products,
    rows: NDArray[np.int64],
    work: Path,
    settings: TrainingSettings,
    data_hash: str,
) -> Seen:
    """Compute it, or as much of it as the work folder lacks; `rows` are to be trained on."""
    tower = imagenet_tower()
    key = "-".join(map(str, (data_hash[:16], len(VARIANTS), SIDE, settings.seed, settings.device)))
    early = cached_early(tower, products.photos, work / f"features-{key}", seed=settings.seed)
    photos = [products.photos[row] for row in rows if not products.drawn[row]]
    strange = outliers(work / "outliers", photos)
    of_strange = cached_early(tower, strange, work / f"outliers-{key}", seed=settings.seed)
    lessons = Lessons(epochs=settings.epochs)
    identity = asdict(lessons) | {
        "data": data_hash,
        "side": SIDE,
        "seed": settings.seed,
        "held": settings.held_out,
        "device": settings.device,
    }
    known = products, early, rows, lessons
    readings = crossfitted_readings(*known, seed=settings.seed, work=work, identity=identity)
    reader = teach(
        tower,
        *known,
        seed=settings.seed,
        checkpoint=work / "lessons.pt",
        identity=identity,
    )
    features = late_features(tower, early)
    # Strange pictures are told by what they have in common with made-up ones (outlier exposure,
    # Hendrycks et al. 2019).
    all_strange = np.arange(len(strange))
    known_rows = _seen_by(reader, features, rows)
    gate = fitted_gate(known_rows, _seen_by(reader, late_features(tower, of_strange), all_strange))
    drawn = on_device(np.tile(products.drawn[rows], len(features)))
    drawing_gate = fitted_gate(known_rows[drawn], known_rows[~drawn])
    return Seen(tower, reader, gate, drawing_gate, features, readings)


def _seen_by(reader: Reader, features: Half, rows: NDArray[np.int64]) -> Tensor:
    """`(v * len(rows), size)`: what the reader sees of these of `(v, n, 26, channels)`."""
    parts = []
    with torch.no_grad():
        for variant in features:
            some = on_device(variant[rows]).float()
            parts.append(reader.seen(some[:, :CELLS], some[:, CELLS, :BINS]))
    return torch.cat(parts)

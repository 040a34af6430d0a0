"""What the fusion is trained on: pictures as the taught tower sees them, and their readings."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cir.training.attributes import Reader
from cir.training.crossfit import crossfitted_readings
from cir.training.features import VARIANTS, cached_early, late_features
from cir.training.lessons import Lessons, teach
from cir.training.products import Products
from cir.training.settings import TrainingSettings
from cir.training.tower import SIDE, Tower, imagenet_tower


@dataclass(frozen=True)
class Seen:
    """Of `n` products in `v` variants.

    Attributes:
        tower: taught on the training rows. reader: of its features.
        features: `(v, n, 26, channels)` of this tower.
        readings: `(v, n, used)` cross-fitted probabilities; zeros for rows held out.
    """

    tower: Tower
    reader: Reader
    features: NDArray[np.float16]
    readings: Tensor


def look_at(
    products: Products,
    rows: NDArray[np.int64],
    work: Path,
    settings: TrainingSettings,
    data_hash: str,
) -> Seen:
    """Compute it, or as much of it as the work folder lacks; `rows` are to be trained on."""
    tower = imagenet_tower()
    folder = work / f"features-{data_hash[:16]}-{len(VARIANTS)}-{SIDE}"
    early = cached_early(tower, products.photos, folder, seed=settings.seed)
    lessons = Lessons(epochs=settings.epochs)
    identity = asdict(lessons) | {
        "data": data_hash,
        "side": SIDE,
        "seed": settings.seed,
        "held": settings.held_out,
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
    return Seen(tower, reader, late_features(tower, early), readings)

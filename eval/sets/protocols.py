"""How each benchmark counts: its measures, what becomes of the reference, how it names images.

Sources: FashionIQ, Wu et al., CVPR 2021, https://github.com/XiaoxiaoGuo/fashion-iq; CIRR, Liu et
al., ICCV 2021, https://github.com/Cuberick-Orion/CIRR; CIRCO, Baldrati et al., ICCV 2023,
https://github.com/miccunifi/CIRCO. The native protocol is our own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from eval.measures import (
    MEASURES,
    AveragePrecision,
    DiscountedGain,
    Measure,
    Recall,
    RecallFraction,
    RecallSubset,
)


@dataclass(frozen=True)
class Protocol:
    """One way of counting.

    Attributes:
        measures: what is reported.
        keep_reference: whether the reference image stays in the ranking.
        image_id: the id by which annotations know an image, from its path in a folder; an id is
            its own.
    """

    measures: tuple[Measure, ...]
    keep_reference: bool
    image_id: Callable[[str], str]


def _stem(path: str) -> str:
    """The file's name without folder and ending; ids of these sets hold no dot and no slash."""
    return PurePosixPath(path).stem


def _coco_id(path: str) -> str:
    """COCO's number of an image: `unlabeled2017/000000271520.jpg` is 271520."""
    stem = _stem(path)
    return str(int(stem)) if stem.isascii() and stem.isdigit() else stem


NATIVE = Protocol(
    measures=(
        *MEASURES,
        *(RecallFraction(k) for k in (5, 10, 50)),
        *(AveragePrecision(k) for k in (5, 10, 50)),
        *(DiscountedGain(k) for k in (5, 10, 50)),
    ),
    keep_reference=False,
    image_id=str,
)
FASHIONIQ = Protocol(measures=MEASURES, keep_reference=True, image_id=_stem)
CIRR = Protocol(
    measures=(*MEASURES, *(RecallSubset(k) for k in (1, 2, 3))),
    keep_reference=False,
    image_id=_stem,
)
CIRCO = Protocol(
    measures=(
        *(AveragePrecision(k) for k in (5, 10, 25, 50)),
        *(Recall(k) for k in (5, 10, 25, 50)),
    ),
    keep_reference=True,
    image_id=_coco_id,
)

"""What a composed query is made of, and a batch of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Wanted:
    """What a target must be, and what it must not be.

    Attributes:
        codes: attribute -> code; a slot counts as right where a product does not have it.
        features: columns that must be stated. without_codes, without_features: must not be.
    """

    codes: Mapping[str, int]
    features: tuple[int, ...] = ()
    without_codes: Mapping[str, int] = field(default_factory=dict)
    without_features: tuple[int, ...] = ()


@dataclass(frozen=True)
class Triplet:
    """One query: reference, a target, text, whether the image is given, and what is wanted."""

    reference: int
    target: int
    text: str
    has_image: bool
    wanted: Wanted
    kind: str


@dataclass(frozen=True)
class Batch:
    """`n` queries with their targets, and which targets of the batch satisfy which query.

    Attributes:
        references, targets: `(n,)` rows of the products.
        texts: `n` instructions, "" for an image-only query.
        has_image: `(n,)` False for a text-only query.
        positive: `(n, n)` whether target j is a right answer to query i.
        wanted: `n` descriptions of what a right target is.
        kinds: `n` names of the kinds of change.
    """

    references: NDArray[np.int64]
    targets: NDArray[np.int64]
    texts: list[str]
    has_image: NDArray[np.bool_]
    positive: NDArray[np.bool_]
    wanted: list[Wanted]
    kinds: list[str]

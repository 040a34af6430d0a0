"""Where training computes: on a GPU where one is at hand.

Training runs within `with torch.device(...)`, so new tensors and modules are there from the start;
what comes from NumPy is brought there by `on_device`.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cir.encoders.on_torch.devices import pick_device

DEVICES = ("auto", "cpu", "cuda")


def training_device(asked: str) -> str:
    """The device's type, "cpu" or "cuda"; "auto" is a CUDA GPU where there is one.

    Raises:
        ValueError: there is no such choice. EncoderError: no such device here.
    """
    if asked not in DEVICES:
        raise ValueError(f"There is no device {asked!r} for training: {', '.join(DEVICES)}.")
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return pick_device(asked).type


def on_device(values: NDArray[Any]) -> Tensor:
    """The values as a tensor where training computes."""
    writable = np.require(values, requirements="W")  # what is mapped from a file is copied
    return torch.from_numpy(writable).to(torch.get_default_device())


def half_precision() -> torch.autocast:
    """Within it, products are computed in bfloat16."""
    return torch.autocast(torch.get_default_device().type, dtype=torch.bfloat16)


def random_state() -> Tensor:
    """Of the generator from which dropout is drawn."""
    if torch.get_default_device().type == "cuda":
        return torch.cuda.get_rng_state()
    return torch.get_rng_state()


def set_random_state(state: Tensor) -> None:
    if torch.get_default_device().type == "cuda":
        torch.cuda.set_rng_state(state)
    else:
        torch.set_rng_state(state)

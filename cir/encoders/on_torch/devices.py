"""Where and how precisely the large encoders compute."""

import time
from functools import cache
from typing import Literal, get_args

import torch
from torch import nn

from cir.errors import EncoderError
from cir.parallel import usable_cores

Precision = Literal["exact", "bf16", "fp16"]
ASKED_PRECISIONS = ("auto", "fast", *get_args(Precision))
DEVICES = ("auto", "cpu", "cuda", "mps")
TYPES: dict[str, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}
WORTH_IT = 1.2  # times faster a bfloat16 product must be before "fast" takes it on a CPU


def pick_device(asked: str) -> torch.device:
    """The device of this name; "auto" is a CUDA GPU, else Apple's, else the CPU.

    Raises:
        EncoderError: there is no such device here.
    """
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if asked == "auto":
        return torch.device(next(name for name, found in there.items() if found))
    if asked not in there:
        raise EncoderError(f"There is no device {asked!r}. Devices: {', '.join(DEVICES)}.")
    if not there[asked]:
        raise EncoderError(
            f"The device {asked} is not there, or this torch ({torch.__version__}) was built "
            "without it. Choose auto or cpu."
        )
    return torch.device(asked)


def pick_precision(asked: str, device: torch.device) -> Precision:
    """The arithmetic that was asked for, on this device.

    "auto" is float32 on a CPU and half precision on a GPU; "fast" is half precision also on a CPU,
    where that is the faster there, which is measured.

    Raises:
        EncoderError: no such precision, or this device lacks it.
    """
    if asked not in ASKED_PRECISIONS:
        raise EncoderError(
            f"There is no precision {asked!r}. Precisions: {', '.join(ASKED_PRECISIONS)}."
        )
    if asked == "exact" or (asked == "auto" and device.type == "cpu"):
        return "exact"
    if device.type == "cpu":
        if asked == "fp16":
            raise EncoderError("fp16 needs a GPU. On a CPU choose exact, fast or bf16.")
        return "bf16" if asked == "bf16" or _bf16_gain() >= WORTH_IT else "exact"
    if asked in ("auto", "fast"):
        return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp16"
    return "bf16" if asked == "bf16" else "fp16"


def supported_precision(made_with: str, device: str) -> str:
    """The precision for an index that was made with this one: the same where the device has it."""
    if made_with == "fp16" and pick_device(device).type == "cpu":
        return "exact"
    return made_with


def apply_precision(network: nn.Module, precision: Precision) -> None:
    """Hold matrices in the precision, all else in float32: `arithmetic` multiplies by them."""
    if precision == "exact":
        return
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.to(TYPES[precision])


def arithmetic(device: torch.device, precision: Precision) -> torch.autocast:
    """A context of this thread in which a network with `apply_precision` computes."""
    return torch.autocast(device.type, TYPES.get(precision), enabled=precision != "exact")


def use_usable_cores() -> None:
    """Let torch use the cores that this process really has."""
    torch.set_num_threads(usable_cores())


@cache  # measured again it might come out otherwise, and another encoder would be loaded
def _bf16_gain() -> float:
    """How many times faster than float32 this CPU multiplies bfloat16 matrices."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        left, right = torch.ones(512, 768, dtype=dtype), torch.ones(768, 768, dtype=dtype)
        takes = []
        for _ in range(5):
            started = time.perf_counter()
            left @ right
            takes.append(time.perf_counter() - started)
        seconds[dtype] = min(takes[1:])
    return seconds[torch.float32] / seconds[torch.bfloat16]

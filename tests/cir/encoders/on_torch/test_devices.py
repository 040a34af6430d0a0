"""Where and how precisely the large encoders compute."""

import pytest
import torch
from torch import nn

from cir.encoders.on_torch import devices
from cir.encoders.on_torch.devices import (
    apply_precision,
    arithmetic,
    pick_device,
    pick_precision,
    supported_precision,
)
from cir.errors import EncoderError

CPU, CUDA, MPS = (torch.device(name) for name in ("cpu", "cuda", "mps"))
no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU here")


def test_a_device_is_picked_by_name() -> None:
    assert pick_device("cpu") == CPU
    assert pick_device("auto").type in {"cpu", "cuda", "mps"}
    with pytest.raises(EncoderError, match=r"no device 'tpu'. Devices: auto, cpu, cuda, mps"):
        pick_device("tpu")


@no_cuda
def test_a_device_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(EncoderError, match=r"The device cuda is not there, .* Choose auto or cpu"):
        pick_device("cuda")


@pytest.mark.parametrize(
    ("asked", "device", "picked"),
    [
        ("auto", CPU, "exact"),
        ("exact", CPU, "exact"),
        ("bf16", CPU, "bf16"),
        ("exact", CUDA, "exact"),
        ("bf16", CUDA, "bf16"),
        ("fp16", CUDA, "fp16"),
        ("auto", MPS, "fp16"),
        ("fast", MPS, "fp16"),
        ("bf16", MPS, "bf16"),
    ],
)
def test_a_precision_is_picked_by_name(asked: str, device: torch.device, picked: str) -> None:
    assert pick_precision(asked, device) == picked


@pytest.mark.parametrize(("gain", "picked"), [(0.3, "exact"), (1.1, "exact"), (2.0, "bf16")])
def test_fast_on_a_cpu_is_what_was_measured(
    gain: float, picked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "_bf16_gain", lambda: gain)
    assert pick_precision("fast", CPU) == picked


def test_the_gain_is_measured_here() -> None:
    assert 0.001 < devices._bf16_gain() < 1000


def test_what_a_cpu_lacks_is_a_sentence() -> None:
    with pytest.raises(EncoderError, match="fp16 needs a GPU"):
        pick_precision("fp16", CPU)
    with pytest.raises(EncoderError, match=r"no precision 'int4'. Precisions: auto, fast, exact"):
        pick_precision("int4", CPU)


def test_an_index_made_in_half_precision_is_searched_on_a_cpu() -> None:
    assert supported_precision("fp16", "cpu") == "exact"
    assert supported_precision("bf16", "cpu") == "bf16"
    assert supported_precision("exact", "cpu") == "exact"


def test_only_matrices_change_their_type() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 4, 2), nn.Flatten(), nn.LayerNorm(4), nn.Linear(4, 4), nn.LayerNorm(4)
    )
    x = torch.linspace(-1, 1, 36).reshape(3, 3, 2, 2)
    apply_precision(network, "exact")
    with arithmetic(CPU, "exact"):
        exact = network(x)
    assert {each.dtype for each in network.parameters()} == {torch.float32}
    apply_precision(network, "bf16")
    types = [each.dtype for layer in network for each in layer.parameters()]
    half, whole = torch.bfloat16, torch.float32
    assert types == [half, half, whole, whole, half, half, whole, whole]
    with arithmetic(CPU, "bf16"):
        rows = network(x)
    assert exact.dtype == torch.float32 and not torch.equal(rows.float(), exact)
    torch.testing.assert_close(rows.float(), exact, rtol=0, atol=0.05)

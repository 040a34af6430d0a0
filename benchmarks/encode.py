"""How fast is Visualized BGE here, beside stock parts one image at a time and beside the hardware?

    python -m benchmarks.encode [--device cuda] [--weights CHECKPOINT]

Without a checkpoint it measures full-size generated weights: speed does not depend on the values.
Every round runs each way once, in turn; the figures are medians, and the ratios are medians of the
rounds' ratios, so that a disturbance of the machine strikes both sides.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from benchmarks.generated_bge import TEXT, TOWER, operations, write_checkpoint
from benchmarks.stock_bge import StockBge
from cir.encoders.on_torch.devices import TYPES, apply_precision, pick_device, use_usable_cores
from cir.encoders.visualized_bge.checkpoint import load_network
from cir.encoders.visualized_bge.model import VisualizedBge

EMPTY = [101, 102]  # [CLS] [SEP]
STOCK, MATMUL, EXACT = "stock parts, one by one", "float32 matrix product", "exact, batches"
HALF_MATMUL, HALF = "half-precision matrix product", "half precision, batches"


def main(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "cpu",
    images: Annotated[int, typer.Option(help="Images a round.")] = 8,
    batch: Annotated[int, typer.Option(help="Images in a batch of ours.")] = 8,
    rounds: Annotated[int, typer.Option(help="Rounds.")] = 7,
    precision: Annotated[str, typer.Option(help="bf16 or fp16.")] = "bf16",
    weights: Annotated[Path | None, typer.Option(help="A base checkpoint.")] = None,
) -> None:
    """Measure and print."""
    use_usable_cores()
    place = pick_device(device)
    with tempfile.TemporaryDirectory() as folder:
        path = weights or Path(folder) / "generated.pth"
        if weights is None:
            write_checkpoint(path)
        stock = StockBge(path).to(place)
        exact, half = load_network(path).to(place), load_network(path)
    apply_precision(half, precision)  # type: ignore[arg-type]
    half.to(place)
    pixels = torch.randn(images, 3, TOWER.side, TOWER.side, device=place)
    ids = torch.tensor([EMPTY], device=place)
    ways: dict[str, Callable[[], object]] = {
        STOCK: lambda: [stock.composed(pixels[at : at + 1], ids) for at in range(images)],
        MATMUL: lambda: _multiply(place, torch.float32),
        EXACT: lambda: _rows(exact, pixels, ids, batch),
        HALF_MATMUL: lambda: _multiply(place, TYPES[precision]),
        HALF: lambda: _rows(half, pixels, ids, batch),
    }
    with torch.inference_mode():
        seconds = _interleaved(ways, rounds, place)
        wanted = _rows(exact, pixels, ids, batch)
        cosine = (wanted * _rows(half, pixels, ids, batch)).sum(dim=1).min().item()
    _print(seconds, images, cosine, place)


def _rows(network: VisualizedBge, pixels: Tensor, ids: Tensor, batch: int) -> Tensor:
    parts = [
        network.composed(network.image_tokens(part), ids.expand(len(part), -1))
        for part in torch.split(pixels, batch)
    ]
    return torch.cat(parts)


ROWS = 8 * TOWER.tokens  # as many as a batch of eight has tokens
PRODUCTS = 4


def _multiply(device: torch.device, dtype: torch.dtype) -> None:
    left = torch.ones(ROWS, TEXT.width, device=device, dtype=dtype)
    right = torch.ones(TEXT.width, TEXT.hidden, device=device, dtype=dtype)
    for _ in range(PRODUCTS):
        left @ right


def _interleaved(
    ways: dict[str, Callable[[], object]], rounds: int, device: torch.device
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for at in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if at:  # the first round warms up
                seconds[name].append(time.perf_counter() - started)
    return seconds


def _print(
    seconds: dict[str, list[float]], images: int, cosine: float, device: torch.device
) -> None:
    each = operations(TOWER, TEXT)
    product = 2.0 * PRODUCTS * ROWS * TEXT.width * TEXT.hidden
    rates = {
        name: [(product if name in {MATMUL, HALF_MATMUL} else images * each) / one for one in took]
        for name, took in seconds.items()
    }
    print(f"{device}, {torch.get_num_threads()} threads; {each / 1e9:.1f} G operations an image")
    for name, found in rates.items():
        rate = statistics.median(found)
        shown = "" if name in {MATMUL, HALF_MATMUL} else f"{rate / each:8.2f} images/s"
        print(f"{name:32} {rate / 1e9:9.0f} GFLOP/s {shown}")

    def ratio(over: str, under: str) -> float:
        pairs = zip(rates[over], rates[under], strict=True)
        return statistics.median(left / right for left, right in pairs)

    print(f"exact / one by one               {ratio(EXACT, STOCK):.2f}")
    print(f"half precision / exact           {ratio(HALF, EXACT):.2f}")
    print(f"exact, of the product's rate     {ratio(EXACT, MATMUL):.2f}")
    print(f"half, of the product's rate      {ratio(HALF, HALF_MATMUL):.2f}")
    print(f"lowest cosine, half to exact     {cosine:.5f}")


if __name__ == "__main__":
    typer.run(main)

"""How fast is Visualized BGE here, beside plain library calls and beside the hardware?

    python -m benchmarks.encode [--device cuda] [--weights CHECKPOINT]

Without a checkpoint it measures full-size generated weights: speed does not depend on the values.
Both sides get the same batches. Every round runs each way once, in turn; the figures are medians,
and the ratios are medians of the rounds' ratios, so that a disturbance of the machine strikes both
sides.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn

from benchmarks.generated_bge import TEXT, TOKENS, operations, write_checkpoint
from cir.encoders.on_torch.devices import (
    TYPES,
    apply_precision,
    arithmetic,
    pick_device,
    use_usable_cores,
)
from cir.encoders.visualized_bge.encoder import VisualizedBge, load_network

EMPTY = [101, 102]  # [CLS] [SEP]
PLAIN, MATMUL, EXACT = "plain calls, float32", "float32 matrix product", "exact"
PLAIN_HALF, HALF_MATMUL = "plain calls, autocast", "half-precision matrix product"
HALF = "half precision"


class Plain(nn.Module):
    """The composition as one writes it down with timm and transformers."""

    tower: Any
    text: Any

    def __init__(self) -> None:
        super().__init__()
        import timm
        from transformers import BertConfig, BertModel

        self.tower = timm.create_model("eva02_base_patch16_clip_224", num_classes=0)
        self.visual_proj = nn.Linear(768, 768)
        self.text = BertModel(BertConfig(), add_pooling_layer=False)

    def forward(self, pixels: Tensor, ids: Tensor) -> Tensor:
        [patches] = self.tower.forward_intermediates(
            pixels, indices=1, output_fmt="NLC", intermediates_only=True
        )
        embeddings = self.text.embeddings
        image = self.visual_proj(patches) - embeddings.token_type_embeddings.weight[0]
        words = embeddings.word_embeddings(ids)
        sequence = torch.cat([words[:, :1], image, words[:, 1:]], dim=1)
        states = self.text(inputs_embeds=sequence).last_hidden_state
        return nn.functional.normalize(states[:, 0].float(), dim=-1)


def main(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "cpu",
    images: Annotated[int, typer.Option(help="Images a round.")] = 8,
    batch: Annotated[int, typer.Option(help="Images in a batch.")] = 8,
    rounds: Annotated[int, typer.Option(help="Rounds.")] = 7,
    precision: Annotated[str, typer.Option(help="bf16 or fp16.")] = "bf16",
    weights: Annotated[Path | None, typer.Option(help="A base checkpoint.")] = None,
) -> None:
    """Measure and print."""
    use_usable_cores()
    place, half_type = pick_device(device), TYPES[precision]
    with tempfile.TemporaryDirectory() as folder:
        path = weights or Path(folder) / "generated.pth"
        if weights is None:
            write_checkpoint(path)
        exact, half = load_network(path).to(place), load_network(path)
    apply_precision(half, precision)  # type: ignore[arg-type]
    half.to(place)
    plain = Plain().eval().to(place)
    plain.load_state_dict(exact.state_dict(), strict=False)  # it has a last norm that none reads
    parts = torch.split(torch.randn(images, 3, 224, 224, device=place), batch)
    ids = torch.tensor([EMPTY], device=place)

    def plain_rows() -> Tensor:
        return torch.cat([plain(part, ids.expand(len(part), -1)) for part in parts])

    def rows(network: VisualizedBge) -> Tensor:
        return torch.cat(
            [
                network.composed(network.image_tokens(part), ids.expand(len(part), -1))
                for part in parts
            ]
        )

    def plain_half_rows() -> Tensor:
        with torch.autocast(place.type, half_type):
            return plain_rows()

    def half_rows() -> Tensor:
        with arithmetic(place, precision):  # type: ignore[arg-type]
            return rows(half)

    ways: dict[str, Callable[[], object]] = {
        PLAIN: plain_rows,
        MATMUL: lambda: _multiply(place, torch.float32),
        EXACT: lambda: rows(exact),
        PLAIN_HALF: plain_half_rows,
        HALF_MATMUL: lambda: _multiply(place, half_type),
        HALF: half_rows,
    }
    with torch.inference_mode():
        seconds = _interleaved(ways, rounds, place)
        wanted = rows(exact)
        difference = (wanted - plain_rows()).abs().max().item()
        cosine = (wanted * half_rows()).sum(dim=1).min().item()
    _print(seconds, images, place)
    print(f"largest difference, exact to plain calls  {difference:.1e}")
    print(f"lowest cosine, half precision to exact    {cosine:.5f}")


ROWS = 8 * TOKENS  # as many as a batch of eight has tokens
PRODUCTS = 4


def _multiply(device: torch.device, dtype: torch.dtype) -> None:
    left = torch.ones(ROWS, TEXT["hidden_size"], device=device, dtype=dtype)
    shape = TEXT["hidden_size"], TEXT["intermediate_size"]
    right = torch.ones(shape, device=device, dtype=dtype)
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


def _print(seconds: dict[str, list[float]], images: int, device: torch.device) -> None:
    each = operations()
    product = 2.0 * PRODUCTS * ROWS * TEXT["hidden_size"] * TEXT["intermediate_size"]
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

    print(f"exact / plain calls                       {ratio(EXACT, PLAIN):.2f}")
    print(f"half precision / plain calls, autocast    {ratio(HALF, PLAIN_HALF):.2f}")
    print(f"half precision / exact                    {ratio(HALF, EXACT):.2f}")
    print(f"exact, of the product's rate              {ratio(EXACT, MATMUL):.2f}")
    print(f"half precision, of the product's rate     {ratio(HALF, HALF_MATMUL):.2f}")


if __name__ == "__main__":
    typer.run(main)

"""A full-size checkpoint of Visualized BGE base with generated weights, for measuring."""

from pathlib import Path

import torch
from torch import Tensor

from cir.encoders.visualized_bge.checkpoint import VISUAL, expected_shapes
from cir.encoders.visualized_bge.text import TextSizes
from cir.encoders.visualized_bge.tower import TowerSizes

TOWER = TowerSizes(width=768, depth=12, heads=12, hidden=2048, patch=16, grid=14)
TEXT = TextSizes(
    width=768, depth=12, heads=12, hidden=3072, vocabulary=30522, positions=512, types=2
)


def write_checkpoint(path: Path, seed: int = 0) -> None:
    """Write it in float16, as the real one is: 393 MB."""
    random = torch.Generator().manual_seed(seed)
    held = {
        name: _tensor(name, shape, random) for name, shape in expected_shapes(TOWER, TEXT).items()
    }
    head_width = TOWER.width // TOWER.heads
    held[VISUAL + "rope.freqs_cos"] = torch.zeros(TOWER.tokens, head_width, dtype=torch.float16)
    torch.save(held, path)


def _tensor(name: str, shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Values of a size that keeps activations in range through all layers."""
    values = torch.randn(shape, generator=random)
    if len(shape) == 1:
        values = values * 0.1 + 1 if name.endswith("weight") else values * 0.05
    elif "embed" in name and "proj" not in name:
        values = values * 0.1
    else:
        values = values * 1.2 / values[0].numel() ** 0.5
    return values.half()


def operations(tower: TowerSizes, text: TextSizes, words: int = 2) -> float:
    """Multiply-adds, counted as two, that the reference code spends on one image alone."""
    seen = tower.tokens + 1
    block = 4 * tower.width**2 + 3 * tower.width * tower.hidden + 2 * seen * tower.width
    image = tower.depth * seen * block + tower.tokens * tower.width * 3 * tower.patch**2
    read = tower.tokens + words
    layer = 4 * text.width**2 + 2 * text.width * text.hidden + 2 * read * text.width
    return 2.0 * (image + tower.tokens * tower.width * text.width + text.depth * read * layer)

"""A full-size checkpoint of Visualized BGE base with generated weights, for measuring."""

from pathlib import Path

import torch
from torch import Tensor

from cir.encoders.visualized_bge.encoder import VISUAL, VisualizedBge, published_name

TOWER = {"embed_dim": 768, "depth": 12, "num_heads": 12, "patch_size": 16, "img_size": 224}
TEXT = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "vocab_size": 30522,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
}
TOKENS = (TOWER["img_size"] // TOWER["patch_size"]) ** 2  # of an image


def write_checkpoint(path: Path, seed: int = 0) -> None:
    """Write it in float16, as the real one is: 393 MB."""
    random = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        shapes = VisualizedBge(TOWER, TEXT).state_dict()
    held = {}
    for ours, each in shapes.items():
        name = published_name(ours)
        held[name] = _tensor(name, each.shape, random)
    head_width = TOWER["embed_dim"] // TOWER["num_heads"]
    held[VISUAL + "rope.freqs_cos"] = torch.zeros(TOKENS, head_width, dtype=torch.float16)
    torch.save(held, path)


def _tensor(name: str, shape: torch.Size, random: torch.Generator) -> Tensor:
    """Values of a size that keeps activations in range through all layers."""
    values = torch.randn(shape, generator=random)
    if len(shape) == 1:
        values = values * 0.1 + 1 if name.endswith("weight") else values * 0.05
    elif "embed" in name and "proj" not in name:
        values = values * 0.1
    else:
        values = values * 1.2 / values[0].numel() ** 0.5
    return values.half()


def operations(words: int = 2) -> float:
    """Multiply-adds, counted as two, that one image with an instruction of `words` tokens takes."""
    width, seen = TOWER["embed_dim"], TOKENS + 1
    gated = 3 * width * int(width * 8 / 3)
    block = 4 * width**2 + gated + 2 * seen * width
    image = TOWER["depth"] * seen * block + TOKENS * width * 3 * TOWER["patch_size"] ** 2
    inner, read = TEXT["hidden_size"], TOKENS + words
    layer = 4 * inner**2 + 2 * inner * TEXT["intermediate_size"] + 2 * read * inner
    return 2.0 * (image + TOKENS * width * inner + TEXT["num_hidden_layers"] * read * layer)

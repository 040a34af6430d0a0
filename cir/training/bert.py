"""Names of a BERT model's weights, and what this model calls them."""

from collections.abc import Mapping

import torch
from torch import Tensor


def linear(ours: str, weights: Mapping[str, Tensor], *theirs: str) -> dict[str, Tensor]:
    """Weight and bias of one layer, or of several put together."""
    return {
        f"{ours}.{part}": torch.cat([weights[f"{name}.{part}"] for name in theirs])
        for part in ("weight", "bias")
    }


def layer(weights: Mapping[str, Tensor], theirs: str, ours: str) -> dict[str, Tensor]:
    """Weights of one transformer block."""
    attention = [f"{theirs}.attention.self.{name}" for name in ("query", "key", "value")]
    state = linear(f"{ours}.qkv", weights, *attention)
    for name, other in (
        ("out", "attention.output.dense"),
        ("norm_attention", "attention.output.LayerNorm"),
        ("mlp.0", "intermediate.dense"),
        ("mlp.2", "output.dense"),
        ("norm_mlp", "output.LayerNorm"),
    ):
        state |= linear(f"{ours}.{name}", weights, f"{theirs}.{other}")
    return state

"""The EVA02-CLIP image tower (Fang et al. 2023), up to its last block."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cir.encoders.visualized_bge.layers import Linear, Projections, Rotation, attend, rotate

EPS = 1e-6
ROTARY_BASE = 10_000.0
ROTARY_SPAN = 16.0  # positions run over 0..16 whatever the grid


@dataclass(frozen=True)
class TowerSizes:
    """`grid` patches a side, each of `patch` pixels; `hidden` is the SwiGLU's inner width."""

    width: int
    depth: int
    heads: int
    hidden: int
    patch: int
    grid: int

    @property
    def side(self) -> int:
        """Pixels a side of the picture."""
        return self.grid * self.patch

    @property
    def tokens(self) -> int:
        """Image tokens of a picture."""
        return self.grid**2


class Tower(nn.Module):
    """Pixels to patch tokens."""

    def __init__(self, sizes: TowerSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.patches = Patches(3, sizes.width, sizes.patch, stride=sizes.patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, sizes.width))
        self.position = nn.Parameter(torch.zeros(1, sizes.tokens + 1, sizes.width))
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.depth))
        self._rotations: dict[torch.device, Rotation] = {}

    def forward(self, pixels: Tensor) -> Tensor:
        """`(b, 3, side, side)` normalised pixels to `(b, tokens, width)`.

        The tokens are those of the last block, before the final norm, without the class token.
        """
        patches = self.patches(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(patches), -1, -1), patches], dim=1) + self.position
        rotation = self._rotation(x.device)
        for block in self.blocks:
            x = block(x, rotation)
        return x[:, 1:]

    def _rotation(self, device: torch.device) -> Rotation:
        if device not in self._rotations:
            cosine, sine = rotation(self.sizes)
            self._rotations[device] = cosine.to(device), sine.to(device)
        return self._rotations[device]


class Patches(nn.Conv2d):
    """Pixels of each patch to its token."""

    def reset_parameters(self) -> None:
        """Nothing: see `layers.Linear`."""


class Block(nn.Module):
    """Pre-norm block with a norm inside attention and MLP (sub-LN); changes its input in place."""

    def __init__(self, sizes: TowerSizes) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(sizes.width, EPS)
        self.attention = Attention(sizes)
        self.mlp_norm = nn.LayerNorm(sizes.width, EPS)
        self.mlp = SwiGlu(sizes)

    def forward(self, x: Tensor, rotation: Rotation) -> Tensor:
        x += self.attention(self.attention_norm(x), rotation)
        x += self.mlp(self.mlp_norm(x))
        return x


class Attention(nn.Module):
    def __init__(self, sizes: TowerSizes) -> None:
        super().__init__()
        self.projections = Projections(sizes.width, sizes.heads)
        self.norm = nn.LayerNorm(sizes.width, EPS)
        self.proj = Linear(sizes.width, sizes.width)

    def forward(self, x: Tensor, rotation: Rotation) -> Tensor:
        query, key, value = self.projections(x)
        mixed = attend(rotate(query, rotation), rotate(key, rotation), value, None)
        out: Tensor = self.proj(self.norm(mixed))
        return out


class SwiGlu(nn.Module):
    def __init__(self, sizes: TowerSizes) -> None:
        super().__init__()
        self.gate_and_value = Linear(sizes.width, 2 * sizes.hidden)
        self.norm = nn.LayerNorm(sizes.hidden, EPS)
        self.down = Linear(sizes.hidden, sizes.width)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.gate_and_value(x).chunk(2, dim=-1)
        out: Tensor = self.down(self.norm(functional.silu(gate, inplace=True).mul_(value)))
        return out


def rotation(sizes: TowerSizes) -> Rotation:
    """Rotary positions of the class token, which has none, and of the patches, row by row.

    Half of a head's pairs turn with the row, half with the column, at frequencies 10000^(-2i/d).
    """
    pairs = sizes.width // sizes.heads // 2
    powers = torch.arange(0, pairs, 2, dtype=torch.float64) / pairs
    steps = torch.arange(sizes.grid, dtype=torch.float64) / sizes.grid * ROTARY_SPAN
    angles = steps[:, None] * ROTARY_BASE**-powers
    rows = angles[:, None].expand(-1, sizes.grid, -1)
    columns = angles[None].expand(sizes.grid, -1, -1)
    turned = torch.cat([rows, columns], dim=-1).flatten(0, 1)
    turned = torch.cat([torch.zeros(1, pairs, dtype=torch.float64), turned])[:, None]
    return turned.cos().float(), turned.sin().float()

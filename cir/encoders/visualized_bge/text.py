"""The text model: BERT (Devlin et al. 2019), or XLM-R, which differs in positions and epsilon."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cir.encoders.visualized_bge.layers import Linear, Projections, attend


@dataclass(frozen=True)
class TextSizes:
    """Sizes of the text model; `types` token types, of which only the first is used."""

    width: int
    depth: int
    heads: int
    hidden: int
    vocabulary: int
    positions: int
    types: int

    @property
    def is_xlm_r(self) -> bool:
        """Whether it is XLM-R (one token type) rather than BERT (two)."""
        return self.types == 1

    @property
    def eps(self) -> float:
        """Epsilon of its layer norms."""
        return 1e-5 if self.is_xlm_r else 1e-12

    @property
    def pad(self) -> int:
        """Token id of padding."""
        return 1 if self.is_xlm_r else 0

    @property
    def start(self) -> int:
        """Position of the first token of a text without an image."""
        return 2 if self.is_xlm_r else 0


class Embeddings(nn.Module):
    """Word, position and type embeddings, summed and normalised."""

    def __init__(self, sizes: TextSizes) -> None:
        super().__init__()
        self.words = nn.Parameter(torch.zeros(sizes.vocabulary, sizes.width))
        self.position = nn.Parameter(torch.zeros(sizes.positions, sizes.width))
        self.token_type = nn.Parameter(torch.zeros(sizes.types, sizes.width))
        self.norm = nn.LayerNorm(sizes.width, sizes.eps)


class TextModel(nn.Module):
    """Embedded tokens to the hidden state of the first."""

    def __init__(self, sizes: TextSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.embeddings = Embeddings(sizes)
        self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.depth))

    def forward(self, x: Tensor, seen: Tensor | None) -> Tensor:
        """`(b, n, width)` to `(b, width)`; `seen` `(b, n)` is False for padding, None: none."""
        for layer in self.layers[:-1]:
            x = layer(x, seen)
        last = self.layers[-1]
        assert isinstance(last, Layer)
        return last.first(x, seen)


class Layer(nn.Module):
    """Post-norm transformer layer."""

    def __init__(self, sizes: TextSizes) -> None:
        super().__init__()
        self.projections = Projections(sizes.width, sizes.heads)
        self.out = Linear(sizes.width, sizes.width)
        self.attention_norm = nn.LayerNorm(sizes.width, sizes.eps)
        self.up = Linear(sizes.width, sizes.hidden)
        self.down = Linear(sizes.hidden, sizes.width)
        self.norm = nn.LayerNorm(sizes.width, sizes.eps)

    def forward(self, x: Tensor, seen: Tensor | None) -> Tensor:
        query, key, value = self.projections(x)
        return self._after(x, attend(query, key, value, seen))

    def first(self, x: Tensor, seen: Tensor | None) -> Tensor:
        """Only the first token's output, `(b, width)`: the last layer needs no other."""
        query, key, value = self.projections(x, queries=1)
        return self._after(x[:, :1], attend(query, key, value, seen))[:, 0]

    def _after(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = self.attention_norm(x + self.out(mixed))
        out: Tensor = self.norm(x + self.down(functional.gelu(self.up(x))))
        return out

"""The fusion transformer: image tokens and text tokens in one sequence, as in Visualized BGE."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cir.training.features import CELLS, Tower

PAD = 0  # token id; the tokenizer is made so


@dataclass(frozen=True)
class Shape:
    """Sizes of the fusion transformer; `dim` is the length of an embedding."""

    vocabulary: int
    channels: int
    width: int = 256
    depth: int = 3
    heads: int = 4
    hidden: int = 768
    dim: int = 256
    text_length: int = 48
    dropout: float = 0.1


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.dropout = shape.dropout
        self.norm_attention = nn.LayerNorm(shape.width)
        self.qkv = nn.Linear(shape.width, 3 * shape.width)
        self.out = nn.Linear(shape.width, shape.width)
        self.norm_mlp = nn.LayerNorm(shape.width)
        self.mlp = nn.Sequential(
            nn.Linear(shape.width, shape.hidden), nn.GELU(), nn.Linear(shape.hidden, shape.width)
        )
        self.drop = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        """`x` is `(n, s, width)`; `seen` `(n, s)` is False for padding."""
        split = self.qkv(self.norm_attention(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=seen[:, None, None, :]
        )
        x = x + self.drop(self.out(mixed.transpose(1, 2).flatten(2)))
        return x + self.drop(self.mlp(self.norm_mlp(x)))


class ImageTokens(nn.Module):
    """Grid features `(n, 25, channels)` to image tokens `(n, 25, width)`."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", torch.zeros(shape.channels))
        self.register_buffer("scale", torch.ones(shape.channels))
        self.project = nn.Linear(shape.channels, shape.width)
        self.position = nn.Parameter(torch.randn(CELLS, shape.width) * 0.02)
        self.norm = nn.LayerNorm(shape.width)

    def standardise(self, mean: Tensor, std: Tensor) -> None:
        """Set the channels' mean and standard deviation over the training photos."""
        self.mean.copy_(mean)
        self.scale.copy_(1 / (std + 1e-3))

    def forward(self, features: Tensor) -> Tensor:
        return self.norm(self.project((features - self.mean) * self.scale) + self.position)


class Fusion(nn.Module):
    """Image tokens `(n, t, width)` and token ids `(n, l)` to unit rows `(n, dim)`.

    The sequence is [CLS], image tokens, text, [SEP]; the embedding is read at [CLS]. `t` 0 is a
    query without an image; ids that are only [SEP] are one without a text.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.words = nn.Embedding(shape.vocabulary, shape.width, padding_idx=PAD)
        self.position = nn.Parameter(torch.randn(shape.text_length, shape.width) * 0.02)
        self.start = nn.Parameter(torch.randn(1, 1, shape.width) * 0.02)
        self.norm_words = nn.LayerNorm(shape.width)
        self.drop = nn.Dropout(shape.dropout)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.depth))
        self.norm = nn.LayerNorm(shape.width)
        self.out = nn.Linear(shape.width, shape.dim, bias=False)
        nn.init.normal_(self.words.weight, std=0.02)

    def forward(self, image: Tensor, ids: Tensor, image_seen: Tensor | None = None) -> Tensor:
        """`image_seen` `(n,)` False hides the row's image tokens, as if there were none."""
        words = self.norm_words(self.words(ids) + self.position[: ids.shape[1]])
        start = self.start.expand(ids.shape[0], -1, -1)
        x = self.drop(torch.cat([start, image, words], dim=1))
        ones = torch.ones_like(image[:, :, 0], dtype=torch.bool)
        if image_seen is not None:
            ones = ones & image_seen[:, None]
        first = torch.ones_like(ids[:, :1], dtype=torch.bool)
        seen = torch.cat([first, ones, ids != PAD], dim=1)
        for block in self.blocks:
            x = block(x, seen)
        return functional.normalize(self.out(self.norm(x[:, 0])), dim=-1)


class Compact(nn.Module):
    """Image tokens and fusion, as they are trained on cached tower features."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.image_tokens = ImageTokens(shape)
        self.fusion = Fusion(shape)
        self.log_scale = nn.Parameter(torch.tensor(2.7))

    def forward(self, features: Tensor, ids: Tensor, image_seen: Tensor | None = None) -> Tensor:
        return self.fusion(self.image_tokens(features), ids, image_seen)


class ImageGraph(nn.Module):
    """What the first ONNX graph holds: bytes `(n, 160, 160, 3)` to image tokens."""

    def __init__(self, tower: Tower, image_tokens: ImageTokens) -> None:
        super().__init__()
        self.tower = tower
        self.image_tokens = image_tokens

    def forward(self, images: Tensor) -> Tensor:
        return self.image_tokens(self.tower(images))


def contrastive_loss(queries: Tensor, targets: Tensor, positive: Tensor, scale: Tensor) -> Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, L_out), queries to targets and back.

    `queries`, `targets` are `(n, dim)` unit rows; `positive` `(n, n)` has at least one True in
    each row and column.
    """
    logits = queries @ targets.T * scale
    return (_one_way(logits, positive) + _one_way(logits.T, positive.T)) / 2


def _one_way(logits: Tensor, positive: Tensor) -> Tensor:
    shares = positive / positive.sum(dim=1, keepdim=True)
    return -(logits.log_softmax(dim=1) * shares).sum(dim=1).mean()

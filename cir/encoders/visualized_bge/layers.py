"""What tower and text model are built of."""

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

Rotation = tuple[Tensor, Tensor]
"""Cosines and sines, each `(n, 1, head width / 2)`: see `rotate`."""


class Linear(nn.Linear):
    """A linear layer that computes in the type of its weights, whatever the type of its input.

    The residual stream stays float32 while the matrices may be bfloat16 or float16.
    """

    def reset_parameters(self) -> None:
        """Nothing: a checkpoint gives the values. Random ones would take seconds of imports."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x.to(self.weight.dtype), self.weight, self.bias)


class Projections(nn.Module):
    """Query, key and value of every head."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = Linear(width, width)
        self.key_value = Linear(width, 2 * width)

    def forward(self, x: Tensor, queries: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """`(b, n, width)` to three times `(b, n, heads, head width)`.

        `queries`: for how many of the first tokens a query is made; None for all.
        """
        asking = x if queries is None else x[:, :queries]
        query = rearrange(self.query(asking), "b n (h d) -> b n h d", h=self.heads)
        key, value = rearrange(
            self.key_value(x), "b n (two h d) -> two b n h d", two=2, h=self.heads
        )
        return query, key, value


def attend(query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None) -> Tensor:
    """Attention of every head: `(b, n, heads, head width)` each, to `(b, n, width)`.

    `seen` `(b, n)` is False for padding; None where there is none.
    """
    mixed = functional.scaled_dot_product_attention(
        query.transpose(1, 2),
        key.transpose(1, 2),
        value.transpose(1, 2),
        attn_mask=None if seen is None else seen[:, None, None, :],
    )
    return rearrange(mixed, "b h n d -> b n (h d)")


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Rotary positions of `(b, n, heads, head width)`, in place.

    The first half of a head's values are the first of each rotated pair, the second half the
    second: `checkpoint.halves` brings the published weights, whose pairs interleave, to that.
    """
    cosine, sine = (each.to(x.dtype) for each in rotation)
    first, second = x.chunk(2, dim=-1)
    turned = second * cosine
    turned.addcmul_(first, sine)
    first.mul_(cosine).addcmul_(second, sine, value=-1)
    second.copy_(turned)
    return x

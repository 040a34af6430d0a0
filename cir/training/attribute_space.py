"""Attributes as vectors: what a picture shows and what a query wishes, for an inner product."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cir.training.products import FEATURES

ROOM = 256  # numbers of an embedding that attributes may take; those left over are 0
FLOOR = 0.01  # probabilities well below it count as none
LEARNED_WEIGHT = 2.0  # of the embedding's other part, beside an attribute's 1
_WEIGHTS = {"articleType": 1.0, "gender": 1.0, "baseColour": 1.0}
_OTHER_WEIGHT = 0.2  # features too


class AttributeSpace(nn.Module):
    """Vectors whose inner product says how well a picture's attributes fit a wish.

    With the probabilities p of a picture and q of what is wished, it is the sum over attributes a
    and their values v of w_a q_a(v) l(p_a(v)), where l(p) = log(1 + p / FLOOR), scaled to end at 1:
    a log-likelihood that does not fall without bound where the picture was misread. Features are
    attributes of one value. Pictures have one number more, which makes their lengths equal, so
    that a cosine ranks as the inner product does (as in Bachrach et al. 2014, RecSys); a picture
    longer than any that `fit` has seen stays a little longer.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        super().__init__()
        self.sizes = [*sizes.values(), len(FEATURES)]
        self.used = sum(self.sizes)
        if self.used >= ROOM:
            raise ValueError(
                f"The table's attributes have {self.used} values with the features; "
                f"an embedding has room for {ROOM - 1}. Merge rare ones."
            )
        each = [_WEIGHTS.get(name, _OTHER_WEIGHT) for name in (*sizes, "features")]
        weights = torch.cat([torch.full((n,), w) for n, w in zip(self.sizes, each, strict=True)])
        self.weights: Tensor
        self.bound: Tensor
        self.register_buffer("weights", weights.sqrt())
        self.register_buffer("bound", torch.zeros(1))

    def fit(self, readings: Tensor) -> None:
        """Take the squared length that pictures get: that of the longest reading of `(n, used)`."""
        self.bound.copy_(self._likelihoods(readings).square().sum(dim=1).max())

    def shown(self, readings: Tensor) -> Tensor:
        """`(n, ROOM)` of what was read of pictures: logits `(n, used)`."""
        rows = self._likelihoods(readings)
        rest = (self.bound - rows.square().sum(dim=1, keepdim=True)).clamp(min=0).sqrt()
        return self._padded(torch.cat([rows, rest], dim=1))

    def wished(self, wishes: Tensor) -> Tensor:
        """`(n, ROOM)` of what queries wish: logits `(n, used)`."""
        return self._padded(self._probabilities(wishes) * self.weights)

    def _likelihoods(self, readings: Tensor) -> Tensor:
        shares = torch.log1p(self._probabilities(readings) / FLOOR)
        return shares / torch.log1p(torch.tensor(1 / FLOOR)) * self.weights

    def _probabilities(self, logits: Tensor) -> Tensor:
        *attributes, features = logits.split(self.sizes, dim=1)
        return torch.cat([*(each.softmax(dim=1) for each in attributes), features.sigmoid()], dim=1)

    def _padded(self, rows: Tensor) -> Tensor:
        return nn.functional.pad(rows, (0, ROOM - rows.shape[1]))

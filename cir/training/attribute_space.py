"""Attributes as vectors: what a picture shows and what a query wishes, for an inner product."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cir.training.products import FEATURES, SLOTS

ROOM = 256  # numbers of an embedding that attributes may take; those left over are 0
FLOOR = 0.003  # probabilities well below it count as none
LEARNED_WEIGHT = 0.15  # of the embedding's other part, beside 1 of an attribute
STRANGE_WEIGHT = 20  # times more of it in a query whose picture is not of the known kind
OF_ANYTHING = ("baseColour",)  # attributes that pictures of any kind have; features are so too
SLOT_WEIGHT = 0.5  # of what is known of drawings alone, and guessed of photos


class AttributeSpace(nn.Module):
    """Vectors whose inner product says how well a picture's attributes fit a wish.

    With the probabilities p of a picture and q of what is wished, it is the sum over attributes a
    and their values v of w_a q_a(v) l(p_a(v)), where l(p) = log(1 + p / FLOOR), scaled to end at 1:
    a log-likelihood that does not fall without bound where the picture was misread. A wish below 0
    takes away what it would have given. Features are attributes of one value. Pictures have one
    number more, which makes their lengths equal, so that a query's cosine ranks as the inner
    product does (as in Bachrach et al. 2014, RecSys); a picture longer than any that `fit` has seen
    stays a little longer.
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
        weights = [*(SLOT_WEIGHT if name in SLOTS else 1.0 for name in sizes), 1.0]
        each = [weight for weight, n in zip(weights, self.sizes, strict=True) for _ in range(n)]
        gated = [name not in OF_ANYTHING for name, n in sizes.items() for _ in range(n)]
        self.weights: Tensor
        self.gated: Tensor
        self.bound: Tensor
        self.register_buffer("weights", torch.tensor(each).sqrt())
        of_all = torch.tensor(gated + [False] * len(FEATURES))
        self.register_buffer("gated", of_all, persistent=False)
        self.register_buffer("bound", torch.zeros(1))

    def fit(self, probabilities: Tensor) -> None:
        """Take the squared length that pictures get: that of the longest of `(n, used)`."""
        self.bound.copy_(self._likelihoods(probabilities).square().sum(dim=1).max())

    def shown(self, probabilities: Tensor) -> Tensor:
        """`(n, ROOM)` of what was read of pictures: probabilities `(n, used)`."""
        rows = self._likelihoods(probabilities)
        rest = (self.bound - rows.square().sum(dim=1, keepdim=True)).clamp(min=0).sqrt()
        return self._padded(torch.cat([rows, rest], dim=1))

    def wished(self, wishes: Tensor) -> Tensor:
        """`(n, ROOM)` of what queries wish, `(n, used)` in -1..1."""
        return self._padded(wishes * self.weights)

    def probabilities(self, logits: Tensor) -> Tensor:
        """`(n, used)` of `(n, used)`: softmax of each attribute, sigmoid of each feature."""
        *attributes, features = logits.split(self.sizes, dim=1)
        return torch.cat([*(each.softmax(dim=1) for each in attributes), features.sigmoid()], dim=1)

    def read(self, logits: Tensor, known: Tensor) -> Tensor:
        """`(n, used)` probabilities, those of other kinds' attributes times `known` `(n, 1)`."""
        probabilities = self.probabilities(logits)
        return torch.where(self.gated, probabilities * known, probabilities)

    def strangeness(self, readings: Tensor) -> Tensor:
        """`(n, 1)`: how likely pictures read as `(n, used)` are not of the known kind."""
        return 1 - readings[:, : self.sizes[0]].sum(dim=1, keepdim=True)

    def _likelihoods(self, probabilities: Tensor) -> Tensor:
        return torch.log1p(probabilities / FLOOR) / math.log1p(1 / FLOOR) * self.weights

    def _padded(self, rows: Tensor) -> Tensor:
        return nn.functional.pad(rows, (0, ROOM - rows.shape[1]))

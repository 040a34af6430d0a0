"""Attributes as vectors: what a picture shows and what a query wishes, for an inner product."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cir.training.products import FEATURES, SLOTS

ROOM = 256  # numbers of an embedding that attributes may take; those left over are 0
FLOOR = 0.003  # before it is fitted: probabilities well below it count as none
LEARNED_WEIGHT = 0.15  # of the embedding's other part, beside 1 of an attribute
STRANGE_WEIGHT = 20  # times more of it in a query whose picture is not of the known kind
OF_ANYTHING = ("baseColour",)  # attributes that pictures of any kind have; features are so too


class AttributeSpace(nn.Module):
    """Vectors whose inner product says how well a picture's attributes fit a wish.

    With the probabilities p of a picture and q of what is wished, it is the sum over attributes a
    and their values v of w_a q_a(v) l_a(p_a(v)), where l_a(p) = log(1 + p / floor_a), scaled to end
    at 1: a log-likelihood that does not fall without bound where the picture was misread. A wish
    below 0 takes away what it would have given. Features are attributes of one value, all of one
    weight and floor. Pictures have one number more, which makes their lengths equal, so that a
    query's cosine ranks as the inner product does (as in Bachrach et al. 2014, RecSys); a picture
    longer than any that `fit` has seen stays a little longer.

    Attributes:
        log_weights, log_floors: `(attributes + 1,)`, the last one of the features.
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
        count = len(self.sizes)
        self.log_weights = nn.Parameter(torch.zeros(count), requires_grad=False)
        self.log_floors = nn.Parameter(torch.full((count,), math.log(FLOOR)), requires_grad=False)
        names = [*sizes, ""]
        self.owner: Tensor  # `(used,)`, which attribute a value is of
        self.of_known: Tensor
        self.of_drawings: Tensor
        self.bound: Tensor
        owner = torch.tensor([at for at, n in enumerate(self.sizes) for _ in range(n)])
        of_known = torch.tensor([bool(name) and name not in OF_ANYTHING for name in names])
        of_drawings = torch.tensor([name in SLOTS for name in names])
        self.register_buffer("owner", owner, persistent=False)
        self.register_buffer("of_known", of_known[owner], persistent=False)
        self.register_buffer("of_drawings", of_drawings[owner], persistent=False)
        self.register_buffer("bound", torch.zeros(1))

    def fit(self, probabilities: Tensor) -> None:
        """Take the squared length that pictures get: that of the longest of `(n, used)`."""
        self.bound.copy_(self.likelihoods(probabilities).square().sum(dim=1).max())

    def shown(self, probabilities: Tensor) -> Tensor:
        """`(n, ROOM)` of what was read of pictures: probabilities `(n, used)`."""
        rows = self.likelihoods(probabilities)
        rest = (self.bound - rows.square().sum(dim=1, keepdim=True)).clamp(min=0).sqrt()
        return self._padded(torch.cat([rows, rest], dim=1))

    def wished(self, wishes: Tensor) -> Tensor:
        """`(n, ROOM)` of what queries wish, `(n, used)` in -1..1."""
        return self._padded(self.weighted(wishes))

    def probabilities(self, logits: Tensor) -> Tensor:
        """`(n, used)` of `(n, used)`: softmax of each attribute, sigmoid of each feature."""
        *attributes, features = logits.split(self.sizes, dim=1)
        return torch.cat([*(each.softmax(dim=1) for each in attributes), features.sigmoid()], dim=1)

    def counted(self, probabilities: Tensor, known: Tensor, drawn: Tensor) -> Tensor:
        """`(n, used)` probabilities, as far as the picture is of a kind that has the attribute.

        `known` and `drawn` `(n, 1)` say how likely it is one of those that the table is about, and
        a drawing. Pictures of any kind have a colour and features; drawings alone have slots.
        """
        one = torch.ones_like(known)
        shares = torch.where(self.of_known, known, one) * torch.where(self.of_drawings, drawn, one)
        return probabilities * shares

    def strangeness(self, readings: Tensor) -> Tensor:
        """`(n, 1)`: how likely pictures read as `(n, used)` are not of the known kind."""
        return 1 - readings[:, : self.sizes[0]].sum(dim=1, keepdim=True)

    def likelihoods(self, probabilities: Tensor) -> Tensor:
        """`(n, used)`: w_a ** 0.5 l_a(p) of `(n, used)` probabilities."""
        floors = self.log_floors.exp()[self.owner]
        return self.weighted(torch.log1p(probabilities / floors) / torch.log1p(1 / floors))

    def weighted(self, values: Tensor) -> Tensor:
        """`(n, used)` times the roots of the weights."""
        return values * (self.log_weights / 2).exp()[self.owner]

    def _padded(self, rows: Tensor) -> Tensor:
        return nn.functional.pad(rows, (0, ROOM - rows.shape[1]))

"""What a query wishes of its target's attributes: said in its text, or kept from its picture."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cir.training.attributes import FEATURE_WEIGHT, AttributeHeads, feature_columns
from cir.training.batch import Wanted
from cir.training.products import FEATURES

# Where an attribute's wish comes from: whichever, the picture's, the text's, or not that.
FREE, KEPT, SAID, NOT_THE_PICTURES, NOT_THE_TEXTS = range(5)
LEAST = 1e-4  # probability, for a bounded loss


class Wishes(nn.Module):
    """Copies from the picture what the text keeps (as in pointer networks, See et al. 2017).

    The text says where each attribute's wish comes from, and which value it names. A picture speaks
    through its readings only, which were learned apart and are as sure of a new photo as they
    should be; what a transformer trained on composed queries makes of its training photos is far
    surer.

    Attributes:
        sources_by_picture: `(used, 5 * attributes)`, what readings add to the logits of where
            wishes come from: "but striped" keeps a drawing's colour and leaves a photo's open. It
            is 0 until the ranking is fitted.
    """

    def __init__(self, sizes: Mapping[str, int], width: int) -> None:
        super().__init__()
        self.sizes = dict(sizes)
        self.said = AttributeHeads(sizes, width)
        self.refused = nn.Linear(width, len(FEATURES))
        self.sources = nn.Linear(width, 5 * len(sizes))
        used = sum(sizes.values()) + len(FEATURES)
        self.sources_by_picture = nn.Parameter(
            torch.zeros(used, 5 * len(sizes)), requires_grad=False
        )

    def forward(self, text: Tensor, shown: Tensor) -> Tensor:
        """`(n, used)` wishes in -1..1: what is refused counts against.

        Args:
            text: `(n, width)` of the texts alone.
            shown: `(n, used)` probabilities of what the pictures show; zeros without a picture.
        """
        attributes, features = self.said(text)
        parts = []
        for said, seen, source in self._each(attributes, text, shown):
            of_picture = source[:, KEPT] - source[:, NOT_THE_PICTURES]
            of_text = source[:, SAID] - source[:, NOT_THE_TEXTS]
            parts.append(of_picture[:, None] * seen + of_text[:, None] * said)
        return torch.cat([*parts, features.sigmoid() - self.refused(text).sigmoid()], dim=1)

    def loss(
        self,
        text: Tensor,
        shown: Tensor,
        wanted: Sequence[Wanted],
        known: Mapping[str, Tensor],
    ) -> Tensor:
        """Mean negative log-likelihood of what is wanted, attributes summed, and of features.

        `text` and `shown` as in `forward`, of `n` queries that want `wanted`. `known` has for each
        attribute `(n,)` whether the table knows it of the reference: what is unknown there may be
        free or kept. Without a picture, kept is as good as free.
        """
        attributes, features = self.said(text)
        loss = features.new_zeros(())
        rows = torch.arange(len(wanted))
        pictured = shown.any(dim=1)
        for name, (said, seen, source) in zip(
            self.sizes, self._each(attributes, text, shown), strict=True
        ):
            code = torch.tensor([each.codes.get(name, -1) for each in wanted])
            other = torch.tensor([each.without_codes.get(name, -1) for each in wanted])
            value = torch.maximum(code, other).clamp(min=0)
            copied, named = seen[rows, value], said[rows, value]
            right = source[:, KEPT] * copied + source[:, SAID] * named
            not_it = source[:, NOT_THE_PICTURES] * copied + source[:, NOT_THE_TEXTS] * named
            of_text = source[:, SAID] + source[:, NOT_THE_TEXTS]
            free = torch.where(pictured, source[:, FREE], 1 - of_text)
            likelihood = torch.where(code >= 0, right, torch.where(other >= 0, not_it, free))
            counts = (code >= 0) | (other >= 0) | known[name]
            loss = loss - ((likelihood + LEAST).log() * counts).mean()
        stated = feature_columns([each.features for each in wanted])
        refused = feature_columns([each.without_features for each in wanted])
        binary = functional.binary_cross_entropy_with_logits
        both = binary(features, stated) + binary(self.refused(text), refused)
        return loss + FEATURE_WEIGHT * both

    def _each(
        self, attributes: Mapping[str, Tensor], text: Tensor, shown: Tensor
    ) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Of each attribute: said and shown probabilities `(n, values)`, sources `(n, 5)`."""
        logits = self.sources(text) + shown @ self.sources_by_picture
        sources = logits.unflatten(1, (len(self.sizes), 5)).softmax(dim=2)
        seen = shown.split([*self.sizes.values(), len(FEATURES)], dim=1)[:-1]
        said = [each.softmax(dim=1) for each in attributes.values()]
        return list(zip(said, seen, sources.unbind(dim=1), strict=True))

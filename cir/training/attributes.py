"""Classifiers of attributes and features, and their loss: what a vector says of a garment."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cir.training.batch import Batch, Wanted
from cir.training.products import ATTRIBUTES, FEATURES, Products

SMOOTHING = 0.1
FEATURE_WEIGHT = 10  # the mean over features is small beside the attributes' losses

READ_SCALE = 10.0  # unit rows give classifiers too little to go by
UNSAID_WEIGHT = 0.02  # of features that a query does not speak of: they may be either

Scores = tuple[Mapping[str, Tensor], Tensor]


class AttributeHeads(nn.Module):
    """One linear classifier an attribute, and one score a feature, of rows `(n, size)`."""

    def __init__(self, products: Products, size: int) -> None:
        super().__init__()
        self.attributes = nn.ModuleDict(
            {
                name: nn.Linear(size, len(products.values[name]))
                for name in ATTRIBUTES
                if products.values[name]
            }
        )
        self.features = nn.Linear(size, len(FEATURES))

    def forward(self, rows: Tensor) -> Scores:
        return {name: head(rows) for name, head in self.attributes.items()}, self.features(rows)


def attribute_loss(
    scores: Scores,
    codes: Mapping[str, Tensor],
    stated: Tensor,
    feature_weight: Tensor | None = None,
) -> Tensor:
    """Mean over the rows of the attributes' cross entropies and the features' binary ones.

    Args:
        codes: attribute -> `(n,)` codes; -1 where a row has none, which then adds nothing.
        stated: `(n, len(FEATURES))`, 1 where a row has the feature.
        feature_weight: of the same shape; None: all alike.
    """
    attributes, features = scores
    loss = features.new_zeros(())
    for name, each in attributes.items():
        known = codes[name] >= 0
        if known.any():
            whole = functional.cross_entropy(
                each, codes[name], ignore_index=-1, label_smoothing=SMOOTHING, reduction="sum"
            )
            loss = loss + whole / len(known)
    binary = functional.binary_cross_entropy_with_logits(features, stated, feature_weight)
    return loss + FEATURE_WEIGHT * binary


def wanted_codes(
    wanted: Sequence[Wanted], attributes: Iterable[str]
) -> tuple[dict[str, Tensor], Tensor]:
    """Of `n` queries: attribute -> `(n,)` codes, -1 where free; `(n, len(FEATURES))` features."""
    codes = {
        name: torch.tensor([each.codes.get(name, -1) for each in wanted]) for name in attributes
    }
    features = torch.zeros(len(wanted), len(FEATURES))
    for row, each in enumerate(wanted):
        features[row, list(each.features)] = 1
    return codes, features


class EmbeddingReader(nn.Module):
    """Loss of attributes read off unit rows: a target's own, and those that a query wants."""

    def __init__(self, products: Products, dim: int) -> None:
        super().__init__()
        self.products = products
        self.heads = AttributeHeads(products, dim)

    def forward(self, queries: Tensor, targets: Tensor, batch: Batch) -> Tensor:
        """`queries` and `targets` are the batch's `(n, dim)` rows."""
        products, rows = self.products, batch.targets
        codes = {name: torch.from_numpy(each[rows]) for name, each in products.codes.items()}
        stated = torch.from_numpy(products.features[rows]).float()
        of_targets = attribute_loss(self.heads(targets * READ_SCALE), codes, stated)
        codes, stated = wanted_codes(batch.wanted, products.codes)
        of_queries = attribute_loss(
            self.heads(queries * READ_SCALE), codes, stated, stated + UNSAID_WEIGHT
        )
        return of_targets + of_queries

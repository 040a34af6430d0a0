"""Classifiers of attributes and features, and their loss: what a vector says of a garment."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cir.training.batch import Batch, Wanted
from cir.training.device import on_device
from cir.training.palette import BINS
from cir.training.products import ATTRIBUTES, FEATURES, Products

SMOOTHING = 0.1
FEATURE_WEIGHT = 10  # the mean over features is small beside the attributes' losses

READ_SCALE = 10.0  # unit rows give classifiers too little to go by
UNSAID_WEIGHT = 0.02  # of features that a query does not speak of: they may be either

Scores = tuple[Mapping[str, Tensor], Tensor]


def attribute_sizes(products: Products) -> dict[str, int]:
    """Attribute -> number of its values, for those that some product has."""
    return {name: len(products.values[name]) for name in ATTRIBUTES if products.values[name]}


def flat(scores: Scores) -> Tensor:
    """`(n, sum of sizes)`: attributes in their order, then features."""
    attributes, features = scores
    return torch.cat([*attributes.values(), features], dim=-1)


class AttributeHeads(nn.Module):
    """One linear classifier an attribute, and one score a feature, of rows `(n, size)`."""

    def __init__(self, sizes: Mapping[str, int], size: int) -> None:
        """`sizes` are the attributes' numbers of values, as `attribute_sizes` gives them."""
        super().__init__()
        self.attributes = nn.ModuleDict({name: nn.Linear(size, n) for name, n in sizes.items()})
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
        whole = functional.cross_entropy(
            each, codes[name], ignore_index=-1, label_smoothing=SMOOTHING, reduction="sum"
        )
        loss = loss + whole / len(each)
    binary = functional.binary_cross_entropy_with_logits(features, stated, feature_weight)
    return loss + FEATURE_WEIGHT * binary


def wanted_codes(
    wanted: Sequence[Wanted], attributes: Iterable[str]
) -> tuple[dict[str, Tensor], Tensor]:
    """Of `n` queries: attribute -> `(n,)` codes, -1 where free; `(n, len(FEATURES))` features."""
    codes = {
        name: torch.tensor([each.codes.get(name, -1) for each in wanted]) for name in attributes
    }
    return codes, feature_columns([each.features for each in wanted])


def feature_columns(stated: Sequence[Sequence[int]]) -> Tensor:
    """`(n, len(FEATURES))`, 1 in the columns of each."""
    rows = np.zeros((len(stated), len(FEATURES)), np.float32)
    for row, columns in zip(rows, stated, strict=True):
        row[list(columns)] = 1
    return on_device(rows)


class Reader(nn.Module):
    """Attributes and features of pictures, read from the mean of all cells and the palette."""

    def __init__(self, sizes: Mapping[str, int], channels: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels + BINS)
        self.drop = nn.Dropout(dropout)
        self.heads = AttributeHeads(sizes, channels + BINS)

    def forward(self, cells: Tensor, palette: Tensor) -> Scores:
        """Of cells `(n, 25, channels)` and palettes `(n, 486)`."""
        scores: Scores = self.heads(self.drop(self.seen(cells, palette)))
        return scores

    def seen(self, cells: Tensor, palette: Tensor) -> Tensor:
        """`(n, channels + 486)`: what it reads from."""
        rows: Tensor = self.norm(torch.cat([cells.mean(dim=1), palette], dim=-1))
        return rows


def embedding_loss(
    heads: AttributeHeads, queries: Tensor, targets: Tensor, batch: Batch, products: Products
) -> Tensor:
    """Loss of attributes read off unit rows: a target's own, and those that a query wants.

    `queries` and `targets` are the batch's `(n, dim)` rows.
    """
    rows = batch.targets
    codes = {name: on_device(each[rows]) for name, each in products.codes.items()}
    stated = on_device(products.features[rows]).float()
    of_targets = attribute_loss(heads(targets * READ_SCALE), codes, stated)
    codes, stated = wanted_codes(batch.wanted, products.codes)
    of_queries = attribute_loss(heads(queries * READ_SCALE), codes, stated, stated + UNSAID_WEIGHT)
    return of_targets + of_queries

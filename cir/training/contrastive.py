"""The loss that pulls queries to their targets."""

from torch import Tensor


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

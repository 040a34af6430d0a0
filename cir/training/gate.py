"""Whether a picture is of one kind: one that the product table has words for, or a drawing."""

import torch
from torch import Tensor, nn

DECAY = 1e-3  # of the gate's weights: its answers stay graded between the two kinds
STEPS = 300
SURE = 16.0  # log-odds of a kind that all pictures are of


class Gate(nn.Module):
    """A logistic regression on what a reader sees, `(n, size)`."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size, 1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, seen: Tensor) -> Tensor:
        """`(n, 1)` probabilities that a picture is of the kind."""
        return (seen @ self.weight + self.bias).sigmoid()


def fitted_gate(kind: Tensor, others: Tensor) -> Gate:
    """The gate that tells rows of pictures of a kind from rows of others; both count alike.

    Without an example of either, all pictures are taken for the other.
    """
    gate = Gate(kind.shape[1]).requires_grad_(False)
    if not len(kind) or not len(others):
        gate.bias.fill_(SURE if len(kind) else -SURE)
        return gate
    gate.requires_grad_(True)
    optimiser = torch.optim.LBFGS(gate.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        right = torch.cat([gate(kind), 1 - gate(others)]).clamp(min=1e-7).log()[:, 0]
        shares = right[: len(kind)].mean() + right[len(kind) :].mean()
        loss = DECAY * gate.weight.square().sum() - shares / 2
        torch.autograd.backward(loss)
        return loss

    optimiser.step(closure)
    return gate.requires_grad_(False)

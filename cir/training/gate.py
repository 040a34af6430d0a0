"""Whether a picture shows something of the kind that the product table has words for."""

import torch
from torch import Tensor, nn

DECAY = 1e-3  # of the gate's weights: its answers stay graded between the two kinds
STEPS = 300


class Gate(nn.Module):
    """A logistic regression on what a reader sees, `(n, size)`."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size, 1))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, seen: Tensor) -> Tensor:
        """`(n, 1)` probabilities that a picture is of the known kind."""
        return (seen @ self.weight + self.bias).sigmoid()


def fitted_gate(known: Tensor, strange: Tensor) -> Gate:
    """The gate that tells rows of known pictures from rows of outliers; both count alike.

    Outliers are made up, and other strange pictures are told by what these have in common (outlier
    exposure, Hendrycks et al. 2019).
    """
    gate = Gate(known.shape[1])
    optimiser = torch.optim.LBFGS(gate.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        right = torch.cat([gate(known), 1 - gate(strange)]).clamp(min=1e-7).log()[:, 0]
        shares = right[: len(known)].mean() + right[len(known) :].mean()
        loss = DECAY * gate.weight.square().sum() - shares / 2
        torch.autograd.backward(loss)
        return loss

    optimiser.step(closure)
    return gate.requires_grad_(False)

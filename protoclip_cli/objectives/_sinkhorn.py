"""Assign rows to columns such that all columns get about the same.

Cuturi, Sinkhorn Distances: Lightspeed Computation of Optimal Transport, 2013. https://arxiv.org/abs/1306.0895
In self-supervision: Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments
(SwAV), 2020. https://arxiv.org/abs/2006.09882
"""

from __future__ import annotations

import torch
from torch import Tensor

_WIDEST = 60.0
"""Exponents may differ by this. exp(-60), and its inverse in a thousand rows, are ordinary float32."""


@torch.no_grad()
def sinkhorn(
    scores: Tensor, iterations: int = 3, epsilon: float = 0.05, bound: float | None = None
) -> Tensor:
    """Turn scores into an assignment: normalise `exp(scores / epsilon)` over columns and rows in turn.

    The factors 1/B and 1/K of the papers are left out, because the step after each takes them away again.

    Args:
        scores: (B, K), those of all processes. Every process computes the same.
        iterations: at least 1. Ends with the rows; the more, the more equal the columns.
        epsilon: temperature. Small: an assignment to one column.
        bound: no score is farther from zero, as 1 of cosines. Where that keeps all exponentials in range they
            are taken once, which is faster. Else all is done in logarithms, and no sum can vanish.

    Returns:
        (B, K) without gradient. Each row sums to one.

    All three score best on the left, and the one with the least to lose is moved to the right.

    >>> sinkhorn(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.6, 0.4]])).argmax(dim=1).tolist()
    [0, 0, 1]
    """
    if bound is not None and 2 * bound / epsilon <= _WIDEST:
        return _by_factors(((scores - bound) / epsilon).exp_(), iterations)
    logarithm = scores / epsilon
    for _ in range(iterations):
        logarithm = logarithm.log_softmax(dim=0).log_softmax(dim=1)
    return logarithm.exp()


def _by_factors(kernel: Tensor, iterations: int) -> Tensor:
    """Normalise (B, K) positive numbers, in place, through one factor for each row and each column."""
    rows, columns = kernel.shape
    of_row = kernel.new_ones(rows)
    for _ in range(iterations):
        # Without B / K, which the rows take away again, factors would grow or shrink by it in each round.
        of_column = (of_row @ kernel).reciprocal_().mul_(rows / columns)
        of_row = (kernel @ of_column).reciprocal_()
    return kernel.mul_(of_column).mul_(of_row[:, None])

"""Assign rows to columns such that all columns get about the same.

Cuturi, Sinkhorn Distances: Lightspeed Computation of Optimal Transport, 2013. https://arxiv.org/abs/1306.0895
In self-supervision: Caron et al., Unsupervised Learning of Visual Features by Contrasting Cluster Assignments
(SwAV), 2020. https://arxiv.org/abs/2006.09882
"""

from __future__ import annotations

import torch
from torch import Tensor


@torch.no_grad()
def sinkhorn(scores: Tensor, iterations: int = 3, epsilon: float = 0.05) -> Tensor:
    """Turn scores into an assignment: normalise `exp(scores / epsilon)` over columns and rows in turn.

    All in logarithms, so that no sum can vanish: dividing by the sums of columns is a log-softmax over rows.
    The factors 1/B and 1/K of the papers are left out, because the step after each takes them away again.

    Args:
        scores: (B, K), those of all processes. Every process computes the same.
        iterations: at least 1. Ends with the rows; the more, the more equal the columns.
        epsilon: temperature. Small: an assignment to one column.

    Returns:
        (B, K) without gradient. Each row sums to one.

    All three score best on the left, and the one with the least to lose is moved to the right.

    >>> sinkhorn(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.6, 0.4]])).argmax(dim=1).tolist()
    [0, 0, 1]
    """
    logarithm = scores.detach() / epsilon
    for _ in range(iterations):
        logarithm = logarithm.log_softmax(dim=0).log_softmax(dim=1)
    return logarithm.exp()

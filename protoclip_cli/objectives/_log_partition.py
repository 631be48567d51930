"""The normaliser of a softmax over many constant columns, through one matrix of similarities."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class _LogPartition(Function):
    """Its gradients need only the mean of the columns by their probabilities, which the forward pass has.

    So nothing of the size of (b, Q) is kept for the backward pass, or made there.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, columns: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        logits = (rows @ columns.T).mul_(scale)
        highest, nearest = logits.max(dim=-1)
        weights = logits.sub_(highest[:, None]).exp_()
        total = weights.sum(dim=-1)
        mean = (weights @ columns).div_(total[:, None])
        ctx.save_for_backward(rows, scale, mean)
        ctx.mark_non_differentiable(nearest)
        return highest + total.log(), nearest

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor, None, Tensor]:
        rows, scale, mean = ctx.saved_tensors
        away = mean * gradient[:, None]
        return scale * away, None, (rows * away).sum()


def log_partition(rows: Tensor, columns: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """`logsumexp(scale * rows @ columns.T)` of each row, and its nearest column.

    Args:
        rows: (b, D).
        columns: (Q, D), constants.
        scale: scalar, the inverse temperature.

    Returns:
        (b,) with gradients to rows and scale, and (b,), long.

    >>> import torch
    >>> value, nearest = log_partition(torch.eye(2), torch.eye(2).flip(0), torch.tensor(0.0))
    >>> value.exp().round(decimals=3).tolist(), nearest.tolist()
    ([2.0, 2.0], [0, 0])
    """
    value, nearest = _LogPartition.apply(rows, columns.detach(), scale)
    return value, nearest

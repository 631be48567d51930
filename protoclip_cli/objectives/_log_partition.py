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
    def forward(
        ctx: Any, rows: Tensor, columns: Tensor, scale: Tensor, named: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        logits = (scale * rows) @ columns.T
        highest = logits.amax(dim=-1, keepdim=True)
        weights = logits.sub_(highest).exp_()
        total = weights.sum(dim=-1)
        mean = (weights @ columns).div_(total[:, None])
        ctx.save_for_backward(rows, scale, mean)
        # Much cheaper than an argmax over all columns: the nearest have the weight of exp(0). Where all have
        # it nothing is near: a collapse is no success.
        nearest = None
        if named is not None:
            collapsed = (total == len(columns)) & (len(columns) > 1)
            nearest = (weights.gather(1, named[:, None])[:, 0] == 1) & ~collapsed
            ctx.mark_non_differentiable(nearest)
        return highest[:, 0] + total.log(), nearest

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, _: Tensor | None) -> tuple[Tensor, None, Tensor, None]:
        rows, scale, mean = ctx.saved_tensors
        away = mean * gradient[:, None]
        return scale * away, None, (rows * away).sum(), None


def log_partition(rows: Tensor, columns: Tensor, scale: Tensor) -> Tensor:
    """`logsumexp(scale * rows @ columns.T)` of each row.

    Args:
        rows: (b, D).
        columns: (Q, D), constants.
        scale: scalar, the inverse temperature.

    Returns:
        (b,) with gradients to rows and scale.

    >>> import torch
    >>> log_partition(torch.eye(2), torch.ones(4, 2), torch.tensor(0.0)).exp().round(decimals=3).tolist()
    [4.0, 4.0]
    """
    value: Tensor = _LogPartition.apply(rows, columns.detach(), scale, None)[0]
    return value


def partition_and_nearest(
    rows: Tensor, columns: Tensor, scale: Tensor, named: Tensor
) -> tuple[Tensor, Tensor]:
    """The same, and whether the named column of each row is the nearest: none is nearer, and not all alike.

    Args:
        rows: (b, D).
        columns: (Q, D), constants.
        scale: scalar, the inverse temperature.
        named: (b,), long, a column for each row.

    Returns:
        (b,) as `log_partition`, and (b,), bool.

    >>> import torch
    >>> named = torch.tensor([0, 0])
    >>> partition_and_nearest(torch.eye(2), torch.eye(2), torch.tensor(5.0), named)[1].tolist()
    [True, False]
    """
    value, nearest = _LogPartition.apply(rows, columns.detach(), scale, named)
    return value, nearest

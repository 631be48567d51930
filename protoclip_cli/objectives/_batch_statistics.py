"""What objectives share that look at the columns of a batch."""

from __future__ import annotations

from torch import Tensor

from protoclip_cli.core.errors import RecipeError


def check_rows(rows: Tensor, kind: str) -> None:
    """Refuse a step of one row, which has no variance.

    Raises:
        RecipeError: fewer than two rows.
    """
    if len(rows) < 2:
        raise RecipeError(
            f"{kind} compares the rows of a step, and this step has {len(rows)}",
            hint="set batch.size to 2 or more",
        )


def off_diagonal(matrix: Tensor) -> Tensor:
    """Sum of the squares of all entries of a (D, D) matrix that are not on its diagonal.

    >>> import torch
    >>> off_diagonal(torch.tensor([[9.0, 1.0], [2.0, 9.0]])).item()
    5.0
    """
    return (matrix - matrix.diagonal().diag()).square().sum()

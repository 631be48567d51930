"""Learned directions to compare features with: a linear layer whose rows have unit length."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PrototypeLayer(nn.Module):
    """Scores of features against learned directions. Of the stored rows, only the directions count.

    Weight normalisation with a gain of 1: Salimans and Kingma, 2016. https://arxiv.org/abs/1602.07868
    """

    def __init__(self, count: int, width: int) -> None:
        """Start from random directions, the same in every build.

        Args:
            count: P, directions.
            width: D, of a feature.
        """
        super().__init__()
        chance = torch.Generator().manual_seed(count)
        self.directions = nn.Parameter(F.normalize(torch.randn(count, width, generator=chance), dim=-1))

    def forward(self, rows: Tensor) -> Tensor:
        """Scores, (B, D) to (B, P); cosines for rows of unit length."""
        return F.linear(rows, F.normalize(self.directions, dim=-1))

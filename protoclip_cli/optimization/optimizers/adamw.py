"""AdamW.

Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019. https://arxiv.org/abs/1711.05101
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch.optim import Optimizer

from protoclip_cli.optimization.groups import Group
from protoclip_cli.optimization.optimizers.base import OptimizerSpec


class AdamWSpec(OptimizerSpec):
    """AdamW, torch's fused implementation."""

    kind: Literal["adamw"]
    betas: tuple[float, float] = (0.9, 0.98)
    """Decay of the running mean and of the running square of the gradient."""
    eps: float = Field(1e-6, gt=0)
    """Added to the root of the running square."""

    def build(self, groups: Sequence[Group]) -> Optimizer:
        """Make the optimiser."""
        return torch.optim.AdamW(self.described(groups), betas=self.betas, eps=self.eps, fused=True)

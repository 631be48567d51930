"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch.optim import Optimizer

from protoclip_cli.optimization.groups import Group
from protoclip_cli.optimization.optimizers.base import OptimizerSpec


class SGDSpec(OptimizerSpec):
    """Stochastic gradient descent, torch's implementation."""

    kind: Literal["sgd"]
    momentum: float = Field(0.9, ge=0, lt=1)
    """How much of the last step the next one keeps."""
    nesterov: bool = False
    """Look ahead by the momentum."""

    def build(self, groups: Sequence[Group]) -> Optimizer:
        """Make the optimiser."""
        return torch.optim.SGD(self.described(groups), momentum=self.momentum, nesterov=self.nesterov)

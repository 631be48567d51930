"""What an optimiser is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from pydantic import Field
from torch.optim import Optimizer

from protoclip_cli.core.spec import Spec
from protoclip_cli.optimization.decay import DecayRule
from protoclip_cli.optimization.groups import Group
from protoclip_cli.optimization.layer_decay import LayerDecaySpec


class OptimizerSpec(Spec, ABC):
    """How a recipe writes an optimiser."""

    kind: str
    lr: float = Field(5e-4, gt=0)
    """Base learning rate of the image tower, and of everything else unless `text_lr` is set."""
    text_lr: float | None = Field(None, gt=0)
    """Base learning rate of the text tower, the heads and the objectives."""
    weight_decay: float = Field(0.2, ge=0)
    """Weight decay of the parameters that decay."""
    decay_rule: DecayRule = "protoclip"
    """Whose rule says which parameters do not decay."""
    layer_decay: LayerDecaySpec | None = None
    """Let layers learn the slower the further they are from the output. Empty: all alike."""
    max_grad_norm: float | None = Field(None, gt=0)
    """Scale all gradients down together when their norm is above this. Empty: never."""

    def base_rate(self, side: str) -> float:
        """The base rate of a group's side."""
        return self.lr if side == "image" or self.text_lr is None else self.text_lr

    def described(self, groups: Sequence[Group]) -> list[dict[str, Any]]:
        """The groups as torch's optimisers take them."""
        return [
            {
                "params": group.parameters,
                "weight_decay": self.weight_decay if group.decays else 0.0,
                "side": group.side,
                "scale": group.scale,
                "lr": self.base_rate(group.side) * group.scale,
            }
            for group in groups
        ]

    @abstractmethod
    def build(self, groups: Sequence[Group]) -> Optimizer:
        """Make the optimiser; its groups stand in the given order."""

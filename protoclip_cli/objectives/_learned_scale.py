"""What objectives that learn the temperature of the embeddings have in common."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from protoclip_cli.core.types import StepInputs
from protoclip_cli.objectives.base import Objective, ObjectiveSpec, as_float


@torch.no_grad()
def keep_in_bounds(log_scale: Tensor, min_temperature: float) -> None:
    """Clamp the logarithm of a scale to [0, ln(1 / min_temperature)], in place.

    After each step, as in all originals but ITRA, which never bounds it: a clamp inside `forward` would have
    no gradient beyond the bound, and the scale could never come back.

    >>> log_scale = torch.tensor(9.0)
    >>> keep_in_bounds(log_scale, 0.01)
    >>> round(log_scale.exp().item(), 3)
    100.0
    """
    log_scale.clamp_(0, -math.log(min_temperature))


class LearnedScaleSpec(ObjectiveSpec):
    """Settings of a learned temperature."""

    temperature: float | None = Field(None, gt=0, le=1)
    """Temperature at the start of training. Empty: a pretrained model's own, else 0.07."""
    min_temperature: float = Field(0.01, gt=0, le=1)
    """The learned temperature stays at or above this."""

    default_temperature: ClassVar[float] = 0.07
    """Where neither the recipe nor a pretrained model says."""

    def first_log_scale(self, model_scale: Tensor | None) -> float:
        """The natural logarithm of the scale that training starts with."""
        if self.temperature is not None:
            return -math.log(self.temperature)
        return -math.log(self.default_temperature) if model_scale is None else float(model_scale)


class LearnsScale(Objective):
    """Compares images and texts at a learned temperature."""

    def __init__(self, log_scale: float, min_temperature: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(log_scale))
        self.min_temperature = min_temperature

    @property
    def model_scale(self) -> nn.Parameter:  # type: ignore[override]
        """The learned logarithm of the scale."""
        return self.log_scale

    @staticmethod
    def pair(inputs: StepInputs) -> tuple[Tensor, Tensor]:
        """The embeddings of the first views, (B, D) each, unit length."""
        image, text = (as_float(side[0].embedding) for side in (inputs.image, inputs.text))
        return F.normalize(image, dim=-1), F.normalize(text, dim=-1)

    def after_step(self, inputs: StepInputs) -> None:  # noqa: ARG002
        """Keep the scale in bounds."""
        keep_in_bounds(self.log_scale, self.min_temperature)

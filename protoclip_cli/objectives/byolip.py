"""BYOLIP: predict what a slowly following copy of the model makes of the other side.

Fini et al., Improved baselines for vision-language pre-training, 2023. https://arxiv.org/abs/2305.08675
Its own term only: a recipe names `local_contrast` next to it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from torch import Tensor

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Modality, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._prediction import Prediction, PredictionSpec


class BYOLIP(Prediction):
    """BYOLIP. The copy has no predictor."""

    def targets(self, inputs: StepInputs, side: Modality) -> Tensor:
        """(1 + A, B, P), a side's projections by the momentum copy."""
        views = inputs.momentum_image if side is Modality.IMAGE else inputs.momentum_text
        return self.projections(views).detach()


class BYOLIPSpec(PredictionSpec):
    """BYOLIP: predictions are drawn to projections by the momentum copy."""

    kind: Literal["byolip"]

    def needs(self) -> Needs:
        """The views of both sides, also through the momentum copy."""
        return replace(super().needs(), momentum=True)

    def build(self, widths: Widths, model_scale: Tensor | None) -> BYOLIP:  # noqa: ARG002
        """Make the objective."""
        return BYOLIP(self, self.width(widths))

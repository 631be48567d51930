"""SiamLIP: predict the other side's projection, without negatives (SimSiam between images and texts).

Fini et al., Improved baselines for vision-language pre-training, 2023. https://arxiv.org/abs/2305.08675
Its own term only: a recipe names `local_contrast` next to it.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._prediction import Prediction, PredictionSpec


class SiamLIPSpec(PredictionSpec):
    """SiamLIP: predictions are drawn to the other side's projections."""

    kind: Literal["siamlip"]

    def build(self, widths: Widths, model_scale: Tensor | None) -> Prediction:  # noqa: ARG002
        """Make the objective."""
        return Prediction(self, self.width(widths))

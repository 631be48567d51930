"""Predict one side's projection from the other's: what SiamLIP and BYOLIP have in common.

Fini et al., Improved baselines for vision-language pre-training, 2023. https://arxiv.org/abs/2305.08675
After SimSiam (https://arxiv.org/abs/2011.10566) and BYOL (https://arxiv.org/abs/2006.07733).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Features, Modality, Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._augmented import AugmentedSpec
from protoclip_cli.objectives._first_weights import own_chance
from protoclip_cli.objectives.base import Objective


def prediction_loss(predictions: Tensor, targets: Tensor) -> Tensor:
    """Mean squared distance of unit vectors, 2 - 2 cos, over the clean pair and all pairs of augmented views.

    The cosines of all pairs of views add up to the product of two sums, so A views cost as much as A pairs.

    Args:
        predictions: (1 + A, b, P) of one side, any length; the first view is the clean one.
        targets: (1 + A, b, P) of the other side, any length.

    Returns:
        Scalar, mean over rows and 1 + A * A pairs of views; from 0 to 4.

    >>> views = torch.eye(3).expand(3, 3, 3)
    >>> prediction_loss(views, 2 * views).item(), prediction_loss(views, -views).item()
    (0.0, 4.0)
    """
    predictions, targets = F.normalize(predictions, dim=-1), F.normalize(targets, dim=-1)
    clean = predictions[0] * targets[0]
    augmented = predictions[1:].sum(dim=0) * targets[1:].sum(dim=0)
    pairs = 1 + (len(predictions) - 1) ** 2
    return 2 - 2 * (clean + augmented).sum(dim=-1).mean() / pairs


class Prediction(Objective):
    """Each side's predictor is drawn to the other side's projections, which are kept still."""

    def __init__(self, spec: PredictionSpec, width: int) -> None:
        super().__init__()
        self.spec = spec
        with own_chance("predictor"):
            self.predictors = nn.ModuleDict(
                {side.value: predictor(width, spec.predictor_hidden) for side in Modality}
            )

    def targets(self, inputs: StepInputs, side: Modality) -> Tensor:
        """(1 + A, B, P), the projections of a side that predictions of the other are drawn to."""
        return self.projections(inputs.of(side)).detach()

    def projections(self, views: Sequence[Features]) -> Tensor:
        """(1 + A, B, P), of all views of a side."""
        clean = self.spec.clean(views)
        return torch.cat([clean, self.spec.augmented(views)]) if self.spec.augmented_views else clean

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        image, text = (
            prediction_loss(self._predicted(inputs, side)[:, inputs.own], targets[:, inputs.own])
            for side, targets in (
                (Modality.IMAGE, self.targets(inputs, Modality.TEXT)),
                (Modality.TEXT, self.targets(inputs, Modality.IMAGE)),
            )
        )
        return Outcome((image + text) / 2, {"image": image.detach(), "text": text.detach()})

    def _predicted(self, inputs: StepInputs, side: Modality) -> Tensor:
        """(1 + A, B, P). All rows, because the batch norm inside looks at all; each view by itself."""
        views = self.projections(inputs.of(side))
        if views.shape[1] < 2:
            raise RecipeError(
                f"{self.spec.kind} cannot learn from one row: its predictor has a batch norm",
                hint="set batch.size to 2 or more",
            )
        return torch.stack([self.predictors[side.value](view) for view in views])


def predictor(width: int, hidden: int) -> nn.Sequential:
    """(B, P) to (B, P). It keeps no running statistics, for `forward` must change nothing."""
    return nn.Sequential(
        nn.Linear(width, hidden, bias=False),
        nn.BatchNorm1d(hidden, track_running_stats=False),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, width),
    )


class PredictionSpec(AugmentedSpec):
    """Settings that SiamLIP and BYOLIP share."""

    predictor_hidden: int = Field(2048, gt=0)
    """Width of the hidden layer of the predictors, one for each side."""

    def width(self, widths: Widths) -> int:
        """Columns of the projections, which one predictor reads of all views.

        Raises:
            RecipeError: clean and augmented views have different ones.
        """
        clean, augmented = widths.of(self.head), widths.of(self.head_of_augmented)
        if self.augmented_views and clean != augmented:
            raise RecipeError(
                f"{self.kind}: clean views have {clean} columns and augmented views {augmented}",
                hint="give both heads the same dim: one predictor reads both",
            )
        return clean

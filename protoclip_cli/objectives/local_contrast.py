"""Improved CLIP: InfoNCE between the clean views, and between all pairs of augmented ones.

Fini et al., Improved baselines for vision-language pre-training, 2023. https://arxiv.org/abs/2305.08675
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from protoclip_cli.core.types import Modality, Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._augmented import AugmentedSpec
from protoclip_cli.objectives._learned_scale import LearnedScaleSpec, LearnsScale, keep_in_bounds
from protoclip_cli.objectives.info_nce import info_nce


def views_contrast(
    image: Tensor,
    text: Tensor,
    scale: Tensor,
    own: slice = slice(None),
    *,
    smoothing: float = 0.0,
    column_gradient: bool = True,
) -> tuple[Tensor, Tensor]:
    """InfoNCE of all pairs of a view of the images and a view of the texts. Of one view each: `info_nce`.

    Args:
        image: (A, B, P), unit length.
        text: (A, B, P), unit length. In any view, row i belongs to image i.
        scale: scalar, the inverse temperature.
        own: the rows this process computes; all by default.
        smoothing: share of the target that goes to all columns alike.
        column_gradient: False: no gradient reaches what rows are compared with.

    Returns:
        The mean loss of the own rows over pairs of views and both directions, and the share of own images
        that rank their text first, both scalars.

    >>> partners = torch.eye(4).expand(2, 4, 4)
    >>> loss, accuracy = views_contrast(partners, partners, torch.tensor(100.0))
    >>> round(loss.item(), 3), accuracy.item()
    (0.0, 1.0)
    """
    pairs = [
        info_nce(one, other, scale, own, column_gradient=column_gradient) for one in image for other in text
    ]
    loss, accuracy = (torch.stack(column).mean() for column in zip(*pairs, strict=True))
    if smoothing:
        # What smoothing adds is linear in the logits, and their means need no matrix of them.
        means = image.mean(dim=0), text.mean(dim=0)
        for mine, theirs in (means, means[::-1]):
            others = theirs if column_gradient else theirs.detach()
            apart = (mine[own] * (others[own] - others.mean(dim=0))).sum(dim=-1).mean()
            loss = loss + smoothing / 2 * scale * apart
    return loss, accuracy


class LocalContrast(LearnsScale):
    """Improved CLIP, with one learned temperature for the clean views and one for the augmented ones."""

    def __init__(self, spec: LocalContrastSpec, log_scale: float) -> None:
        super().__init__(log_scale, spec.min_temperature)
        self.spec = spec
        if spec.augmented_views and spec.augmented_temperature is not None:
            self.augmented_log_scale = nn.Parameter(torch.tensor(-math.log(spec.augmented_temperature)))

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        spec, scale = self.spec, self.log_scale.exp()
        clean = [spec.clean(inputs.of(side)) for side in Modality]
        loss, accuracy = self._contrast(clean, scale, inputs.own, 0.0)
        metrics = {"accuracy": accuracy, "scale": scale.detach()}
        if views := spec.augmented_views:
            # Without a parameter of its own, the scale is that of the clean views.
            scale = getattr(self, "augmented_log_scale", self.log_scale).exp()
            augmented = [spec.augmented(inputs.of(side)) for side in Modality]
            part, accuracy = self._contrast(augmented, scale, inputs.own, spec.label_smoothing)
            loss = (loss + views * part) / (1 + views)
            metrics |= {"augmented_accuracy": accuracy, "augmented_scale": scale.detach()}
        return Outcome(loss * (2 if spec.reduction == "sum" else 1), metrics)

    def _contrast(
        self, sides: list[Tensor], scale: Tensor, own: slice, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        image, text = (F.normalize(side, dim=-1) for side in sides)
        gradient = self.spec.column_gradient
        return views_contrast(image, text, scale, own, smoothing=smoothing, column_gradient=gradient)

    def after_step(self, inputs: StepInputs) -> None:  # noqa: ARG002
        """Keep both scales in bounds."""
        for log_scale in self.parameters():
            keep_in_bounds(log_scale, self.min_temperature)


class LocalContrastSpec(LearnedScaleSpec, AugmentedSpec):
    """Improved CLIP: clean pairs and all pairs of augmented views."""

    kind: Literal["local_contrast"]
    temperature: float | None = Field(None, gt=0, le=1)
    """Temperature of the clean views at the start. Empty: a pretrained model's own, else 0.07."""
    augmented_temperature: float | None = Field(0.1, gt=0, le=1)
    """Temperature of the augmented views at the start. Null: the clean views' own, also while it learns."""
    min_temperature: float = Field(0.01, gt=0, le=1)
    """The learned temperatures stay at or above this."""
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    """Share of the target that goes to all columns alike, for the augmented views only."""
    reduction: Literal["avg", "sum"] = "avg"
    """`avg`: the mean of both directions. `sum`: their sum, twice that."""
    column_gradient: bool = True
    """False: only the side that seeks its partner learns from a comparison, as in clip-rocket on several
    processes."""

    @model_validator(mode="after")
    def _smooths_something(self) -> LocalContrastSpec:
        if self.label_smoothing and not self.augmented_views:
            raise ValueError("label_smoothing is for augmented views, and augmented_views is 0")
        return self

    def build(self, widths: Widths, model_scale: Tensor | None) -> LocalContrast:  # noqa: ARG002
        """Make the objective."""
        return LocalContrast(self, self.first_log_scale(model_scale))

"""Distill-CLIP: contrast images and texts, and rank all others as a frozen model does. As in open_clip."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._both_ways import both_ways
from protoclip_cli.objectives._learned_scale import LearnedScaleSpec, LearnsScale
from protoclip_cli.objectives.base import as_float

Pair = tuple[Tensor, Tensor]


def distill(student: Pair, teacher: Pair, own: slice = slice(None)) -> tuple[Tensor, Tensor, Tensor]:
    """InfoNCE of the student, and the cross entropy of its rankings under the teacher's.

    Args:
        student: logits of `both_ways`, (b, B) each.
        teacher: the same of the teacher.
        own: which of the B rows they are of; all by default.

    Returns:
        InfoNCE, the cross entropy, both the mean of the two directions, and the share of own images that rank
        their text first: scalars.

    >>> sure = (100 * torch.eye(3), 100 * torch.eye(3))
    >>> [round(value.item(), 3) for value in distill(sure, sure)]
    [0.0, 0.0, 1.0]
    """
    partner = torch.arange(student[0].shape[-1], device=student[0].device)[own]
    log_shares = [F.log_softmax(logits, dim=-1) for logits in student]
    contrast = sum(F.nll_loss(rows, partner) for rows in log_shares) / 2
    distillation = sum(
        -(logits.softmax(dim=-1) * rows).sum(dim=-1).mean()
        for logits, rows in zip(teacher, log_shares, strict=True)
    )
    accuracy = (student[0].detach().argmax(dim=-1) == partner).to(student[0].dtype).mean()
    return torch.as_tensor(contrast), torch.as_tensor(distillation) / 2, accuracy


class Distill(LearnsScale):
    """Distill-CLIP with a learned temperature of the student; the teacher keeps its own."""

    def __init__(self, spec: DistillSpec, log_scale: float) -> None:
        super().__init__(log_scale, spec.min_temperature)
        self.spec = spec

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        scale = self.log_scale.exp()
        student = both_ways(*self.pair(inputs), scale, inputs.own)
        contrast, distillation, accuracy = distill(student, self._teacher(inputs, student[0]), inputs.own)
        loss = self.spec.contrast_weight * contrast + self.spec.distill_weight * distillation
        metrics = {
            "accuracy": accuracy,
            "scale": scale.detach(),
            "contrast": contrast.detach(),
            "distillation": distillation.detach(),
        }
        return Outcome(loss, metrics)

    @staticmethod
    @torch.no_grad()
    def _teacher(inputs: StepInputs, like: Tensor) -> Pair:
        assert inputs.frozen is not None
        image, text = (
            F.normalize(as_float(rows).to(like.dtype), dim=-1)
            for rows in (inputs.frozen.image, inputs.frozen.text)
        )
        return both_ways(image, text, inputs.frozen.scale.to(like), inputs.own)


class DistillSpec(LearnedScaleSpec):
    """Distill-CLIP, contrast with the rankings of a frozen model."""

    kind: Literal["distill"]
    contrast_weight: float = Field(1.0, ge=0)
    """Factor of InfoNCE."""
    distill_weight: float = Field(1.0, ge=0)
    """Factor of the cross entropy under the frozen model's rankings."""

    def needs(self) -> Needs:
        """One view of each side, and what the frozen model says of them."""
        return Needs(image_views=1, text_views=1, frozen=True)

    def build(self, widths: Widths, model_scale: Tensor | None) -> Distill:  # noqa: ARG002
        """Make the objective."""
        return Distill(self, self.first_log_scale(model_scale))

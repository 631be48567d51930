"""DINO between two sides: give learned prototypes the probabilities that the teacher gives them.

Caron et al., Emerging Properties in Self-Supervised Vision Transformers, 2021. https://arxiv.org/abs/2104.14294
As in ITRA: one view of each side, no schedule of the temperature. Early revisions of ITRA have the same loss
under the name of ProtoRKD.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._shared_prototypes import SharedPrototypes, SharedPrototypesSpec


def dino_loss(student: Tensor, teacher: Tensor, centre: Tensor) -> Tensor:
    """Cross entropy of the student's prototypes against the teacher's, whose logits are centred.

    Args:
        student: (b, P), scores over the student's temperature.
        teacher: (b, P), scores over the teacher's temperature. Row i teaches row i.
        centre: (P,), what the teacher's logits are on average.

    Returns:
        Scalar, mean over rows.

    A teacher that scores as always tells nothing, and the best student is as unsure: it loses ln 3.

    >>> usual = torch.tensor([9.0, 1.0, 5.0])
    >>> round(dino_loss(torch.zeros(2, 3), usual.expand(2, -1), usual).item(), 4)
    1.0986
    """
    return F.cross_entropy(student, (teacher - centre).softmax(dim=-1))


class Dino(SharedPrototypes):
    """DINO. The centre follows the teacher's scores, over the rows of all processes."""

    centre: Tensor

    def __init__(self, spec: DinoSpec, width: int) -> None:
        super().__init__(spec, width)
        self.spec = spec
        self.register_buffer("centre", torch.zeros(spec.prototypes))

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        student, teacher = self.student_rows(inputs)[inputs.own], self.teacher_rows(inputs)[inputs.own]
        prototypes = self.prototypes()
        loss = dino_loss(
            self.student_logits(student, prototypes),
            self.teacher_logits(teacher, prototypes),
            self.centre / self.spec.teacher_temperature,
        )
        return Outcome(loss, {"agreement": F.cosine_similarity(student, teacher).mean().detach()})

    @torch.no_grad()
    def after_step(self, inputs: StepInputs) -> None:
        """Move the centre."""
        # Scores are linear in unit features, so the mean of features has the mean of all (B, P) scores.
        mean = F.normalize(self.teacher_rows(inputs), dim=-1).mean(dim=0)
        scores = self.layer.directions @ mean / self.layer.directions.norm(dim=-1)
        self.centre.lerp_(scores, 1 - self.spec.momentum)


class DinoSpec(SharedPrototypesSpec):
    """DINO, distillation over learned prototypes."""

    kind: Literal["dino"]
    momentum: float = Field(0.9, ge=0, lt=1)
    """How much of the centre stays in a step."""

    def build(self, widths: Widths, model_scale: Tensor | None) -> Dino:  # noqa: ARG002
        """Make the objective."""
        return Dino(self, self.common_width(widths))

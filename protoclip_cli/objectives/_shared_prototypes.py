"""What objectives share that compare both sides with one set of learned prototypes."""

from __future__ import annotations

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from protoclip_cli.core.prototype_layer import PrototypeLayer
from protoclip_cli.objectives._student_teacher import StudentTeacher, StudentTeacherSpec


class SharedPrototypesSpec(StudentTeacherSpec):
    """Settings of an objective over scores of prototypes."""

    prototypes: int = Field(65_536, gt=1)
    """How many directions both sides are compared with."""
    student_temperature: float = Field(0.1, gt=0)
    """Temperature of the student's scores."""
    teacher_temperature: float = Field(0.04, gt=0)
    """Temperature of the teacher's scores."""


class SharedPrototypes(StudentTeacher):
    """Owns the prototypes. The student moves them; to the teacher they are constants.

    The originals copy the student's prototypes into a frozen head of the teacher before each step. One layer
    that both read is the same.
    """

    def __init__(self, spec: SharedPrototypesSpec, width: int) -> None:
        super().__init__(spec)
        self.shared = spec
        self.layer = PrototypeLayer(spec.prototypes, width)

    def prototypes(self) -> Tensor:
        """(P, D), unit length."""
        return F.normalize(self.layer.directions, dim=-1)

    def student_logits(self, rows: Tensor, prototypes: Tensor) -> Tensor:
        """Cosines of features with prototypes over the student's temperature: (b, D) to (b, P)."""
        return _logits(rows, prototypes, self.shared.student_temperature)

    def teacher_logits(self, rows: Tensor, prototypes: Tensor) -> Tensor:
        """Those of the teacher, without a gradient to the prototypes."""
        return _logits(rows, prototypes.detach(), self.shared.teacher_temperature)


def _logits(rows: Tensor, prototypes: Tensor, temperature: float) -> Tensor:
    # Dividing (b, P) numbers, forward and backward, would take a fifth of the time.
    return F.linear(F.normalize(rows, dim=-1) / temperature, prototypes)

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
        self.layer = PrototypeLayer(spec.prototypes, width)

    def prototypes(self) -> Tensor:
        """(P, D), unit length."""
        return F.normalize(self.layer.directions, dim=-1)

    def student_scores(self, rows: Tensor, prototypes: Tensor) -> Tensor:
        """Cosines of features with prototypes, (b, D) of any length to (b, P)."""
        return F.linear(F.normalize(rows, dim=-1), prototypes)

    def teacher_scores(self, rows: Tensor, prototypes: Tensor) -> Tensor:
        """The same without a gradient to the prototypes."""
        return self.student_scores(rows, prototypes.detach())

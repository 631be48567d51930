"""RKD: let the students lie to one another as the teachers do.

Park et al., Relational Knowledge Distillation, 2019. https://arxiv.org/abs/1904.05068
As in ITRA, features get unit length first, and the means are over all B x B pairs and B x B x B triplets.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._relations import angle_relations, distance_relations
from protoclip_cli.objectives._student_teacher import StudentTeacher, StudentTeacherSpec


class Rkd(StudentTeacher):
    """RKD. A process computes the relations of its own rows to all rows; a single row has none: zero."""

    def __init__(self, spec: RkdSpec) -> None:
        super().__init__(spec)
        self.spec = spec

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        student, teacher = (
            F.normalize(rows, dim=-1) for rows in (self.student_rows(inputs), self.teacher_rows(inputs))
        )
        terms: dict[str, Tensor] = {}
        if self.spec.distance:
            terms["distance"] = distance_relations(student, teacher, inputs.own)
        if self.spec.angle:
            steep = self.spec.steep_duplicates
            terms["angle"] = angle_relations(student, teacher, inputs.own, steep_duplicates=steep)
        weights = {"distance": self.spec.distance, "angle": self.spec.angle}
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        return Outcome(loss, {name: term.detach() for name, term in terms.items()})


class RkdSpec(StudentTeacherSpec):
    """RKD, distillation of distances and angles."""

    kind: Literal["rkd"]
    distance: float = Field(0.5, ge=0)
    """Factor of the distances. 0: they are not computed."""
    angle: float = Field(1.0, ge=0)
    """Factor of the angles. 0: they are not computed."""
    steep_duplicates: bool = False
    """Let rows that coincide have ITRA's gradient, a difference over 1e-12. False: they have no direction."""

    @model_validator(mode="after")
    def _says_something(self) -> RkdSpec:
        if not self.distance and not self.angle:
            raise ValueError("distance and angle must not both be 0")
        return self

    def build(self, widths: Widths, model_scale: Tensor | None) -> Rkd:  # noqa: ARG002
        """Make the objective. The sides need not be of one width."""
        return Rkd(self)

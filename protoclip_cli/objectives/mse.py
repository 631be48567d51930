"""Mean squared error between the features of student and teacher as they are, of any length.

The first loss of ProtoRKD, in the history of ITRA.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._student_teacher import StudentTeacher, StudentTeacherSpec


class Mse(StudentTeacher):
    """Mean squared error over all entries. Unlike `sim_reg` it learns the lengths of the features too."""

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        student, teacher = (
            rows[inputs.own] for rows in (self.student_rows(inputs), self.teacher_rows(inputs))
        )
        agreement = F.cosine_similarity(student.detach(), teacher.detach()).mean()
        return Outcome(F.mse_loss(student, teacher), {"agreement": agreement})


class MseSpec(StudentTeacherSpec):
    """Mean squared error to a teacher's features, lengths included."""

    kind: Literal["mse"]

    def build(self, widths: Widths, model_scale: Tensor | None) -> Mse:  # noqa: ARG002
        """Make the objective."""
        self.common_width(widths)
        return Mse(self)

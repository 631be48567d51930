"""SimReg: bring the student's unit features to the teacher's.

Navaneet et al., SimReg: Regression as a Simple Yet Effective Tool for Self-supervised Knowledge Distillation,
2021. https://arxiv.org/abs/2201.05131
ITRA takes the mean over all B x D entries, so that the loss and its gradient shrink as features get wider.
Here a row's entries are summed unless `times_width` is false; with `l2` that makes 2 - 2 cos.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._student_teacher import StudentTeacher, StudentTeacherSpec

Norm = Literal["l2", "l1", "smooth_l1"]


def sim_reg(student: Tensor, teacher: Tensor, norm: Norm = "l2", *, times_width: bool = True) -> Tensor:
    """How far the students are from their teachers.

    Args:
        student: (b, D), unit length.
        teacher: (b, D), unit length. Row i teaches row i.
        norm: squares, absolute values, or between them Huber's at 1, of the differences of entries.
        times_width: sum over the entries of a row. False: their mean.

    Returns:
        Scalar, mean over rows.

    >>> import torch
    >>> a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> sim_reg(a, b).item(), sim_reg(a, b, times_width=False).item(), sim_reg(a, b, "l1").item()
    (2.0, 1.0, 2.0)
    """
    measure = {"l2": F.mse_loss, "l1": F.l1_loss, "smooth_l1": F.smooth_l1_loss}[norm]
    mean = measure(student, teacher)
    return mean * student.shape[-1] if times_width else mean


class SimReg(StudentTeacher):
    """SimReg."""

    def __init__(self, spec: SimRegSpec) -> None:
        super().__init__(spec)
        self.spec = spec

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        student = F.normalize(self.student_rows(inputs)[inputs.own], dim=-1)
        teacher = F.normalize(self.teacher_rows(inputs)[inputs.own], dim=-1)
        loss = sim_reg(student, teacher, self.spec.norm, times_width=self.spec.times_width)
        return Outcome(loss, {"agreement": (student * teacher).sum(dim=-1).mean().detach()})


class SimRegSpec(StudentTeacherSpec):
    """SimReg, regression on a teacher's unit features."""

    kind: Literal["sim_reg"]
    norm: Norm = "l2"
    """How differences of entries are measured."""
    times_width: bool = True
    """Sum over the entries of a row. False: their mean, as in ITRA, weaker the wider the features."""

    def build(self, widths: Widths, model_scale: Tensor | None) -> SimReg:  # noqa: ARG002
        """Make the objective."""
        self.common_width(widths)
        return SimReg(self)

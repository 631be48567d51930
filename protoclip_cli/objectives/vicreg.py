"""VICReg between two sides: alike in each row, spread out and uncorrelated over the batch.

Bardes et al., VICReg: Variance-Invariance-Covariance Regularization, 2022. https://arxiv.org/abs/2105.04906
The mean over both sides of the variance term, and the mean over columns of the squared distance, are those of
the authors' code; the paper's formulas have sums.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._batch_statistics import check_rows, off_diagonal
from protoclip_cli.objectives._student_teacher import StudentTeacher, StudentTeacherSpec

_LEAST_VARIANCE = 1e-4


def spread_terms(rows: Tensor) -> tuple[Tensor, Tensor]:
    """VICReg's variance and covariance terms of one side.

    Args:
        rows: (B, D), B of 2 or more.

    Returns:
        How far standard deviations are below one, mean over columns; and the sum of squared covariances of
        different columns, over D. Both scalars.

    >>> import torch
    >>> variance, covariance = spread_terms(torch.tensor([[1.0, 1.0], [-1.0, -1.0]]))
    >>> round(variance.item(), 3), round(covariance.item(), 3)
    (0.0, 4.0)
    """
    centred = rows - rows.mean(dim=0)
    covariance = centred.T @ centred / (len(rows) - 1)
    deviation = (covariance.diagonal() + _LEAST_VARIANCE).sqrt()
    return (1 - deviation).relu().mean(), off_diagonal(covariance) / rows.shape[1]


class VICReg(StudentTeacher):
    """VICReg, over the rows of all processes."""

    def __init__(self, spec: VICRegSpec) -> None:
        super().__init__(spec)
        self.spec = spec

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss. Statistics are of all rows, and so is the loss of each process."""
        spec = self.spec
        student, teacher = self.student_rows(inputs), self.teacher_rows(inputs)
        check_rows(student, spec.kind)
        if spec.form == "itra":
            student, teacher = F.normalize(student, dim=-1), F.normalize(teacher, dim=-1)
        invariance = F.mse_loss(student, teacher)
        of_student, of_teacher = spread_terms(student), spread_terms(teacher)
        variance, covariance = (of_student[0] + of_teacher[0]) / 2, of_student[1] + of_teacher[1]
        loss = spec.invariance * invariance + spec.variance * variance + spec.covariance * covariance
        parts = {"invariance": invariance, "variance": variance, "covariance": covariance}
        return Outcome(loss, {name: value.detach() for name, value in parts.items()})


class VICRegSpec(StudentTeacherSpec):
    """VICReg."""

    kind: Literal["vicreg"]
    detach_teacher: bool = False
    """False, as in the paper: both sides learn. True: only the student does."""
    form: Literal["paper", "itra"] = "paper"
    """`itra` makes rows of unit length first, so that no column can be as spread out as is asked for."""
    invariance: float = Field(25.0, ge=0)
    """Factor of the squared distance between the sides."""
    variance: float = Field(25.0, ge=0)
    """Factor of the term that spreads out each column."""
    covariance: float = Field(1.0, ge=0)
    """Factor of the term that decorrelates columns."""

    def build(self, widths: Widths, model_scale: Tensor | None) -> VICReg:  # noqa: ARG002
        """Make the objective."""
        self.common_width(widths)
        return VICReg(self)

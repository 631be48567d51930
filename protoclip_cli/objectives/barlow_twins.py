"""Barlow Twins between two sides: each column like its own on the other side, and like no other.

Zbontar et al., Barlow Twins: Self-Supervised Learning via Redundancy Reduction, 2021.
https://arxiv.org/abs/2103.03230
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


def correlation(student: Tensor, teacher: Tensor) -> Tensor:
    """Correlation of each column of one side with each of the other.

    Args:
        student: (B, D), B of 2 or more.
        teacher: (B, D).

    Returns:
        (D, D), between -1 and 1.

    >>> import torch
    >>> student, teacher = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[7.0], [5.0], [3.0]])
    >>> round(correlation(student, teacher).item(), 3)
    -1.0
    """
    # Batch norm without memory: subtracts the mean and divides by the deviation of the batch.
    standard = [F.batch_norm(rows, None, None, training=True) for rows in (student, teacher)]
    return standard[0].T @ standard[1] / len(student)


def itra_correlation(student: Tensor, teacher: Tensor) -> Tensor:
    """ITRA's: cosines of columns that keep their means, and divided by B once more, so at most 1/B.

    Takes and gives what `correlation` does.
    """
    unit = [F.normalize(F.normalize(rows, dim=-1), dim=0) for rows in (student, teacher)]
    return unit[0].T @ unit[1] / len(student)


def barlow_loss(correlation: Tensor, redundancy: float) -> Tensor:
    """Squared distance of correlations from the unit matrix; off the diagonal with a factor.

    Args:
        correlation: (D, D).
        redundancy: the factor.

    Returns:
        Scalar, a sum over entries.

    >>> import torch
    >>> barlow_loss(torch.tensor([[0.0, 2.0], [0.0, 1.0]]), 0.5).item()
    3.0
    """
    return (1 - correlation.diagonal()).square().sum() + redundancy * off_diagonal(correlation)


class BarlowTwins(StudentTeacher):
    """Barlow Twins, over the rows of all processes."""

    def __init__(self, spec: BarlowTwinsSpec) -> None:
        super().__init__(spec)
        self.spec = spec

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss. Correlations are of all rows, and so is the loss of each process."""
        sides = self.student_rows(inputs), self.teacher_rows(inputs)
        check_rows(sides[0], self.spec.kind)
        correlations = itra_correlation(*sides) if self.spec.form == "itra" else correlation(*sides)
        loss = barlow_loss(correlations, self.spec.redundancy)
        return Outcome(loss, {"correlation": correlations.diagonal().mean().detach()})


class BarlowTwinsSpec(StudentTeacherSpec):
    """Barlow Twins."""

    kind: Literal["barlow_twins"]
    detach_teacher: bool = False
    """False, as in the paper: both sides learn. True: only the student does."""
    form: Literal["paper", "itra"] = "paper"
    """`itra` divides twice, so that correlations are hardly seen."""
    redundancy: float = Field(0.0051, ge=0)
    """Factor of the correlations between different columns."""

    def build(self, widths: Widths, model_scale: Tensor | None) -> BarlowTwins:  # noqa: ARG002
        """Make the objective."""
        self.common_width(widths)
        return BarlowTwins(self)

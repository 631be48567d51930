"""SEED: match the teacher's similarities to a queue of its past features.

Fang et al., SEED: Self-supervised Distillation For Visual Representation, 2021. https://arxiv.org/abs/2101.04731
The defaults are ITRA's; at its teacher temperature of 1e-4 the target is one-hot on the own pair, and the
loss is InfoNCE against a queue.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._log_partition import log_partition
from protoclip_cli.objectives._queue import RingQueue, uneven
from protoclip_cli.objectives._student_teacher import StudentTeacher, StudentTeacherSpec


def seed_loss(
    student: Tensor, teacher: Tensor, queue: Tensor, student_temperature: float, teacher_temperature: float
) -> Tensor:
    """Cross entropy between the two sides' similarities to the teacher's own feature and the queue.

    Args:
        student: (b, D), unit length.
        teacher: (b, D), unit length. Row i teaches row i.
        queue: (Q, D), unit length.
        student_temperature: of the student's distribution.
        teacher_temperature: of the target's.

    Returns:
        Scalar, mean over rows.

    >>> rows = torch.eye(3)
    >>> round(seed_loss(rows, rows, -rows, 0.07, 1e-4).item(), 3)
    0.0
    """
    target = (teacher / teacher_temperature) @ queue.T
    own_target = 1 / teacher_temperature  # a unit vector's product with itself is one
    highest = target.detach().amax(dim=-1, keepdim=True).clamp(min=own_target)
    # Weights of less than exp(-80) are not needed, and would be slow subnormal numbers.
    target, own = target.sub_(highest).clamp(min=-80).exp_(), (own_target - highest).exp()
    total = target.sum(dim=-1, keepdim=True) + own
    # A row is drawn to the mean of the queue by its target, so the student's side needs no (b, Q) target.
    aim, own_share = target @ queue / total, (own / total)[:, 0]

    partition = log_partition(student, queue, student.new_full((), 1 / student_temperature))
    with_own = (student * teacher).sum(dim=-1) / student_temperature
    drawn = own_share * with_own + (student * aim).sum(dim=-1) / student_temperature
    return (torch.logaddexp(partition, with_own) - drawn).mean()


class Seed(StudentTeacher):
    """SEED. The teacher's features of all processes enter the queue after the step."""

    def __init__(self, spec: SeedSpec, width: int) -> None:
        super().__init__(spec)
        self.spec = spec
        self.queue = RingQueue(spec.queue, width)

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        student = F.normalize(self.student_rows(inputs)[inputs.own], dim=-1)
        teacher = F.normalize(self.teacher_rows(inputs)[inputs.own], dim=-1)
        queue = self.queue.rows.to(student.dtype)
        loss = seed_loss(
            student, teacher, queue, self.spec.student_temperature, self.spec.teacher_temperature
        )
        agreement = (student * teacher).sum(dim=-1).mean().detach()
        return Outcome(loss, {"agreement": agreement})

    def after_step(self, inputs: StepInputs) -> None:
        """Let the teacher's features into the queue."""
        self.queue.push(F.normalize(self.teacher_rows(inputs), dim=-1))


class SeedSpec(StudentTeacherSpec):
    """SEED, distillation through a queue."""

    kind: Literal["seed"]
    queue: int = Field(65_536, gt=0)
    """How many past teacher features to compare with."""
    student_temperature: float = Field(0.07, gt=0)
    """Temperature of the student's similarities."""
    teacher_temperature: float = Field(1e-4, gt=0)
    """Temperature of the teacher's. Small: the target is the own pair alone."""

    def clashes_with_batch(self, rows: int) -> Iterator[str]:
        """Batches fill the queue evenly."""
        return uneven(self.queue, rows)

    def build(self, widths: Widths, model_scale: Tensor | None) -> Seed:  # noqa: ARG002
        """Make the objective."""
        return Seed(self, self.common_width(widths))

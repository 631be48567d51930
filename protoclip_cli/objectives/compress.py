"""CompRess: match the teacher's distribution of similarities over a queue of past features.

Koohpayegani et al., CompRess: Self-Supervised Learning by Compressing Representations, 2020.
https://arxiv.org/abs/2010.14713
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._log_partition import log_partition
from protoclip_cli.objectives._queue import QueueStart, RingQueue, uneven
from protoclip_cli.objectives._student_teacher import StudentTeacher, StudentTeacherSpec


def compress_loss(
    student: Tensor, teacher: Tensor, student_queue: Tensor, teacher_queue: Tensor, temperature: float
) -> Tensor:
    """Kullback-Leibler divergence of the student's similarities to a queue from the teacher's.

    Args:
        student: (b, D), unit length.
        teacher: (b, T), unit length. Row i teaches row i.
        student_queue: (Q, D), what the student is compared with.
        teacher_queue: (Q, T), what the teacher is compared with. Place i holds the same row as the student's.
        temperature: of both distributions.

    Returns:
        Scalar, mean over rows.

    >>> import torch
    >>> rows = torch.eye(3)
    >>> abs(round(compress_loss(rows, rows, rows, rows, 0.04).item(), 4))
    0.0
    """
    logits = (teacher / temperature) @ teacher_queue.T
    highest = logits.detach().amax(dim=-1, keepdim=True)
    weights = logits.sub_(highest).exp_()
    total = weights.sum(dim=-1, keepdim=True)
    # A row is drawn to the mean of the queue by its target, whose own logarithm is linear in the logits.
    aim = weights @ student_queue / total
    certain = aim if student_queue is teacher_queue else weights @ teacher_queue / total
    entropy = (highest + total.log())[:, 0] - (teacher * certain).sum(dim=-1) / temperature
    partition = log_partition(student, student_queue, student.new_full((), 1 / temperature))
    drawn = (student * aim).sum(dim=-1) / temperature
    return (partition - drawn - entropy).mean()


class Compress(StudentTeacher):
    """CompRess. The features of all processes enter the queues after the step; in ITRA each had its own."""

    def __init__(self, spec: CompressSpec, student_width: int, teacher_width: int) -> None:
        super().__init__(spec)
        self.spec = spec
        self.teacher_queue = RingQueue(spec.queue, teacher_width, spec.start)
        self.student_queue = None
        if spec.queues == 2:
            self.student_queue = RingQueue(spec.queue, student_width, spec.start, stream=1)

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        student = F.normalize(self.student_rows(inputs)[inputs.own], dim=-1)
        teacher = F.normalize(self.teacher_rows(inputs)[inputs.own], dim=-1)
        teachers = self.teacher_queue.rows.to(student.dtype)
        students = teachers if self.student_queue is None else self.student_queue.rows.to(student.dtype)
        return Outcome(compress_loss(student, teacher, students, teachers, self.spec.temperature))

    def after_step(self, inputs: StepInputs) -> None:
        """Let the features into the queues."""
        self.teacher_queue.push(F.normalize(self.teacher_rows(inputs), dim=-1))
        if self.student_queue is not None:
            self.student_queue.push(F.normalize(self.student_rows(inputs), dim=-1))


class CompressSpec(StudentTeacherSpec):
    """CompRess, distillation of similarities to a queue."""

    kind: Literal["compress"]
    queues: Literal[1, 2] = 1
    """1: both sides are compared with past features of the teacher. 2: each with its own."""
    queue: int = Field(65_536, gt=0)
    """How many past features to compare with."""
    temperature: float = Field(0.04, gt=0)
    """Temperature of both sides' similarities."""
    start: QueueStart = "uniform"
    """What the queues hold at first: `unit` vectors, or the original's vectors of `uniform` entries."""

    def clashes_with_batch(self, rows: int) -> Iterator[str]:
        """Batches fill the queue evenly."""
        return uneven(self.queue, rows)

    def build(self, widths: Widths, model_scale: Tensor | None) -> Compress:  # noqa: ARG002
        """Make the objective."""
        if self.queues == 1:
            self.common_width(widths)
        return Compress(self, widths.of(self.head), self.teacher_width(widths))

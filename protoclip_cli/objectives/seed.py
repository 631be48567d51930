"""SEED: match the teacher's similarities to a queue of its past features.

Fang et al., SEED: Self-supervised Distillation For Visual Representation, 2021. https://arxiv.org/abs/2101.04731
The defaults are ITRA's; at its teacher temperature of 1e-4 the target is one-hot on the own pair, and the
loss is InfoNCE against a queue.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Modality, Outcome, StepInputs
from protoclip_cli.objectives._queue import RingQueue
from protoclip_cli.objectives.base import Objective, ObjectiveSpec, as_float


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
    with_own = torch.cat([(student * teacher).sum(dim=-1, keepdim=True), student @ queue.T], dim=-1)
    own = torch.ones_like(with_own[:, :1])  # a unit vector's product with itself
    target = torch.cat([own, teacher @ queue.T], dim=-1) / teacher_temperature
    return F.cross_entropy(with_own / student_temperature, target.softmax(dim=-1))


class Seed(Objective):
    """SEED. The teacher is detached; its features of all processes enter the queue after the step."""

    def __init__(self, spec: SeedSpec, width: int) -> None:
        super().__init__()
        self.spec = spec
        self.queue = RingQueue(spec.queue, width)

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        student = F.normalize(as_float(inputs.of(self.spec.student)[0].embedding[inputs.own]), dim=-1)
        teacher = self._teacher(inputs)[inputs.own].to(student.dtype)
        queue = self.queue.rows.to(student.dtype)
        loss = seed_loss(
            student, teacher, queue, self.spec.student_temperature, self.spec.teacher_temperature
        )
        agreement = (student * teacher).sum(dim=-1).mean().detach()
        return Outcome(loss, {"agreement": agreement})

    def after_step(self, inputs: StepInputs) -> None:
        """Let the teacher's features into the queue."""
        self.queue.push(self._teacher(inputs))

    def _teacher(self, inputs: StepInputs) -> Tensor:
        if self.spec.teacher == "bank":
            assert inputs.teacher is not None
            rows = inputs.teacher
        else:
            rows = inputs.of(Modality(self.spec.teacher))[0].embedding
        return F.normalize(as_float(rows.detach()), dim=-1)


class SeedSpec(ObjectiveSpec):
    """SEED, distillation through a queue."""

    kind: Literal["seed"]
    student: Modality = Modality.IMAGE
    """The tower that learns."""
    teacher: Literal["text", "image", "bank"] = "text"
    """Who teaches: the other tower, or features on disk. No gradient reaches it."""
    queue: int = Field(65_536, gt=0)
    """How many past teacher features to compare with."""
    student_temperature: float = Field(0.07, gt=0)
    """Temperature of the student's similarities."""
    teacher_temperature: float = Field(1e-4, gt=0)
    """Temperature of the teacher's. Small: the target is the own pair alone."""

    def needs(self) -> Needs:
        """The student's view and the teacher's."""
        sides = {self.student.value, self.teacher}
        return Needs(
            image_views=int("image" in sides), text_views=int("text" in sides), teacher=self.teacher == "bank"
        )

    def build(self, width: int, model_scale: Tensor | None) -> Seed:  # noqa: ARG002
        """Make the objective."""
        return Seed(self, width)

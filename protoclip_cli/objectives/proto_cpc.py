"""ProtoCPC: find the teacher's prototypes among all, which are weighed by how often they are taken.

Lee, Prototypical Contrastive Predictive Coding, International Conference on Learning Representations, 2022.
As in ITRA: one view of each side, temperatures 0.1 and 0.04.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._shared_prototypes import SharedPrototypes, SharedPrototypesSpec
from protoclip_cli.objectives._sinkhorn import sinkhorn

_LEAST = 1e-12
"""Least prior. One that is never taken decays in every step, and would have no logarithm in the end."""
_ROWS = 1024
"""Rows whose (P,) probabilities are there at a time while they are summed up."""


def proto_cpc_loss(student: Tensor, assignment: Tensor, prior: Tensor) -> Tensor:
    """Mean over rows of -q.u + log sum(prior exp(u)), with u the student's logits.

    Args:
        student: (b, P), scores over the temperature.
        assignment: (b, P), the teacher's q; rows sum to one.
        prior: (P,), positive; mean one.

    Returns:
        Scalar.

    >>> logits = 1000 * torch.eye(3)
    >>> proto_cpc_loss(logits, torch.eye(3), torch.ones(3)).item()
    0.0
    """
    logarithm = prior.log()
    # cross_entropy subtracts q.(u + logarithm); what is too much of that comes back as a constant.
    weighed = F.cross_entropy(student + logarithm, assignment)
    return weighed + (assignment @ logarithm).mean()


class ProtoCPC(SharedPrototypes):
    """ProtoCPC. The prior follows what the teacher's rows of all processes are assigned to."""

    prior: Tensor

    def __init__(self, spec: ProtoCPCSpec, width: int) -> None:
        super().__init__(spec, width)
        self.spec = spec
        self.register_buffer("prior", torch.ones(spec.prototypes))

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        student, teacher = self.student_rows(inputs)[inputs.own], self.teacher_rows(inputs)
        prototypes = self.prototypes()
        assignment, taken = self._assignment(teacher, prototypes, inputs.own)
        inputs.kept[self] = taken.detach()
        loss = proto_cpc_loss(self.student_logits(student, prototypes), assignment, self.prior)
        agreement = F.cosine_similarity(student, teacher[inputs.own]).mean().detach()
        return Outcome(loss, {"agreement": agreement})

    @torch.no_grad()
    def after_step(self, inputs: StepInputs) -> None:
        """Move the prior to what the teacher took in this step, of the prototypes as they were before it."""
        taken = inputs.kept.get(self)
        if taken is None:  # of inputs that were not scored before
            _, taken = self._assignment(self.teacher_rows(inputs), self.prototypes(), inputs.own)
        self.prior.lerp_(taken / taken.mean(), 1 - self.spec.momentum).clamp_(min=_LEAST)

    def _assignment(self, teacher: Tensor, prototypes: Tensor, own: slice) -> tuple[Tensor, Tensor]:
        """(b, P) of the own rows and (P,), the sum over all rows."""
        if self.spec.assignment == "sinkhorn":
            logits = self.teacher_logits(teacher, prototypes)
            assignment = sinkhorn(logits, epsilon=1.0, bound=1 / self.spec.teacher_temperature)
            return assignment[own], assignment.sum(dim=0)
        assignment = self._softmax(teacher[own], prototypes)
        if len(assignment) == len(teacher):
            return assignment, assignment.sum(dim=0)
        with torch.no_grad():
            # The own rows too: every process adds up the same, or their priors would drift apart.
            parts = [self._softmax(rows, prototypes).sum(dim=0) for rows in teacher.split(_ROWS)]
            return assignment, torch.stack(parts).sum(dim=0)

    def _softmax(self, teacher: Tensor, prototypes: Tensor) -> Tensor:
        return self.teacher_logits(teacher, prototypes).softmax(dim=-1)


class ProtoCPCSpec(SharedPrototypesSpec):
    """ProtoCPC, distillation over learned prototypes with a prior."""

    kind: Literal["proto_cpc"]
    momentum: float = Field(0.9, ge=0, lt=1)
    """How much of the prior stays in a step."""
    assignment: Literal["softmax", "sinkhorn"] = "softmax"
    """How the teacher takes prototypes: each row on its own, or such that all get about the same."""

    def build(self, widths: Widths, model_scale: Tensor | None) -> ProtoCPC:  # noqa: ARG002
        """Make the objective."""
        return ProtoCPC(self, self.common_width(widths))

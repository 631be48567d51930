"""Prototypical contrast: draw each row to the prototype of its cluster, not to its partner.

ProtoCLIP: Chen et al., Prototypical Contrastive Language Image Pretraining, 2022.
https://arxiv.org/abs/2206.10996
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Modality, Outcome, StepInputs
from protoclip_cli.objectives.base import Objective, ObjectiveSpec, as_float


def soft_targets(source: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """How much each cluster resembles that of each row, among the features it was found in.

    Args:
        source: (K, S), the clusters' prototypes there.
        labels: (b,), long.
        temperature: small values leave all the mass on the row's own cluster.

    Returns:
        (b, K), rows that sum to one.

    >>> soft_targets(torch.eye(3), torch.tensor([2]), 0.01).round().tolist()
    [[0.0, 0.0, 1.0]]
    """
    return (source[labels] @ source.T / temperature).softmax(dim=-1)


def prototype_contrast(
    student: Tensor, prototypes: Tensor, labels: Tensor, scale: Tensor, targets: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Cross entropy of finding the prototype of each row's cluster among all prototypes.

    Args:
        student: (b, P), unit length.
        prototypes: (K, P). Unit length unless the original's plain means are wanted.
        labels: (b,), long. Rows labelled -1 have no cluster; without targets they are left out.
        scale: scalar, the inverse temperature.
        targets: (b, K), rows that sum to one, to match instead of the label alone.

    Returns:
        The mean loss and the share of rows nearest to their own prototype, both scalars.

    >>> rows = torch.eye(3)
    >>> loss, accuracy = prototype_contrast(rows, rows, torch.arange(3), torch.tensor(100.0))
    >>> round(loss.item(), 3), accuracy.item()
    (0.0, 1.0)
    """
    logits = scale * student @ prototypes.T
    loss = F.cross_entropy(logits, labels if targets is None else targets, ignore_index=-1)
    accuracy = (logits.detach().argmax(dim=-1) == labels).to(loss.dtype).mean()
    return loss, accuracy


class PrototypeContrast(Objective):
    """Prototypical contrast with a learned temperature of its own. Prototypes carry no gradient.

    Each row is compared with prototypes only, so a process needs no rows but its own.
    """

    def __init__(self, spec: PrototypeContrastSpec) -> None:
        super().__init__()
        self.spec = spec
        self.log_scale = nn.Parameter(torch.tensor(-math.log(spec.temperature)))
        self.max_log_scale = -math.log(spec.min_temperature)

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        features = inputs.of(self.spec.student)[0]
        projected = features.embedding if self.spec.head is None else features.heads[self.spec.head]
        student = F.normalize(as_float(projected[inputs.own]), dim=-1)
        board = inputs.prototypes[self.spec.prototypes]
        labels, centroids = board.labels[inputs.own], board.centroids.to(student.dtype)
        targets = None
        if self.spec.target_temperature is not None:
            targets = soft_targets(board.source.to(student.dtype), labels, self.spec.target_temperature)
        scale = self.log_scale.exp()
        loss, accuracy = prototype_contrast(student, centroids, labels, scale, targets)
        return Outcome(loss, {"accuracy": accuracy, "scale": scale.detach()})

    def after_step(self, inputs: StepInputs) -> None:  # noqa: ARG002
        """Keep the scale in bounds; see `InfoNCE` for why not in `forward`."""
        with torch.no_grad():
            self.log_scale.clamp_(0, self.max_log_scale)


class PrototypeContrastSpec(ObjectiveSpec):
    """Prototypical contrast (ProtoCLIP)."""

    kind: Literal["prototype_contrast"]
    student: Modality
    """The tower that learns."""
    source: Literal["image", "text", "teacher"]
    """Whose features are clustered."""
    back_translation: bool = True
    """Move each prototype to the mean of its members in the student's own space."""
    target_temperature: float | None = Field(None, gt=0)
    """Aim also at clusters that resemble the row's own, at this temperature. Empty: at its own alone."""
    temperature: float = Field(0.07, gt=0, le=1)
    """Temperature of the student at the start of training."""
    min_temperature: float = Field(0.01, gt=0, le=1)
    """The learned temperature stays at or above this."""
    head: str | None = "proto"
    """The head whose projections are clustered and drawn. Null: the embedding itself."""

    @model_validator(mode="after")
    def _has_a_space(self) -> PrototypeContrastSpec:
        if self.source == "teacher" and not self.back_translation:
            raise ValueError("back_translation must stay on: a teacher has a space of its own")
        return self

    @property
    def prototypes(self) -> str:
        """The prototypes that the student is compared with."""
        return f"{self.student.value}<-{self.source}" if self.back_translation else self.source

    def needs(self) -> Needs:
        """One view of the student, its head and its prototypes."""
        return Needs(
            image_views=int(self.student is Modality.IMAGE),
            text_views=int(self.student is Modality.TEXT),
            heads=frozenset() if self.head is None else frozenset({self.head}),
            prototypes=frozenset({self.prototypes}),
        )

    def build(self, width: int, model_scale: Tensor | None) -> PrototypeContrast:  # noqa: ARG002
        """Make the objective."""
        return PrototypeContrast(self)

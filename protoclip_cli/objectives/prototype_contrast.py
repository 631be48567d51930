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
from protoclip_cli.core.types import Modality, Outcome, Prototypes, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._learned_scale import keep_in_bounds
from protoclip_cli.objectives._log_partition import partition_and_nearest
from protoclip_cli.objectives.base import Objective, ObjectiveSpec, projected

_BLOCK = 2**24
"""Numbers of a matrix of all clusters by all clusters that are looked at together."""


def soft_aims(source: Tensor, prototypes: Tensor, temperature: float) -> Tensor:
    """What the rows of each cluster are drawn to, if they are to match also clusters that resemble their own.

    A cross entropy with weights q over prototypes pulls towards their mean by q, so rows that share a cluster
    share one aim, made once an episode instead of a (b, K) matrix of targets in each step.

    Args:
        source: (K, S), the clusters' prototypes where they were found; tells which resemble each other.
        prototypes: (K, P), the same clusters' prototypes in the space of the student.
        temperature: small values leave all the weight on the row's own cluster.

    Returns:
        (K, P), of any length.

    >>> soft_aims(torch.eye(2), torch.tensor([[1.0, 0.0], [0.0, 1.0]]), 0.01).round()
    tensor([[1., 0.],
            [0., 1.]])
    """
    size = max(1, _BLOCK // len(source))
    return torch.cat(
        [(rows @ source.T / temperature).softmax(dim=-1) @ prototypes for rows in source.split(size)]
    )


def prototype_contrast(
    student: Tensor, prototypes: Tensor, labels: Tensor, scale: Tensor, aims: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Cross entropy of finding the prototype of each row's cluster among all prototypes.

    Args:
        student: (b, P), unit length.
        prototypes: (K, P), no gradient. Unit length unless the original's plain means are wanted.
        labels: (b,), long. Rows labelled -1 have no cluster and are left out.
        scale: scalar, the inverse temperature.
        aims: (K, P), from `soft_aims`, for soft targets. None: the prototypes themselves.

    Returns:
        The mean loss and the share of rows nearest to their own prototype, both scalars.

    >>> rows = torch.eye(3)
    >>> loss, accuracy = prototype_contrast(rows, rows, torch.arange(3), torch.tensor(100.0))
    >>> round(loss.item(), 3), accuracy.item()
    (0.0, 1.0)
    """
    kept, named = labels >= 0, labels.clamp(min=0)
    weight = kept.to(student.dtype) / kept.sum()
    aim = (prototypes if aims is None else aims)[named]
    partition, nearest = partition_and_nearest(student, prototypes, scale, named)
    loss = weight @ (partition - scale * (student * aim).sum(dim=-1))
    return loss, (nearest & kept).to(loss.dtype).mean()


class PrototypeContrast(Objective):
    """Prototypical contrast with a learned temperature of its own. Prototypes carry no gradient.

    Each row is compared with prototypes only, so a process needs no rows but its own.
    """

    def __init__(self, spec: PrototypeContrastSpec) -> None:
        super().__init__()
        self.spec = spec
        self.log_scale = nn.Parameter(torch.tensor(-math.log(spec.temperature)))
        self._aims: tuple[Tensor, Tensor] | None = None

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        rows = projected(inputs.of(self.spec.student)[0], self.spec.head)
        student = F.normalize(rows[inputs.own], dim=-1)
        board = inputs.prototypes[self.spec.prototypes]
        labels, centroids = board.labels[inputs.own], board.centroids.to(student.dtype)
        scale = self.log_scale.exp()
        loss, accuracy = prototype_contrast(student, centroids, labels, scale, self._aims_of(board))
        return Outcome(loss, {"accuracy": accuracy, "scale": scale.detach()})

    def _aims_of(self, board: Prototypes) -> Tensor | None:
        """Soft aims, made when the prototypes are new."""
        if self.spec.target_temperature is None:
            return None
        if self._aims is None or self._aims[0] is not board.centroids:
            with torch.no_grad():
                aims = soft_aims(board.source, board.centroids, self.spec.target_temperature)
            self._aims = (board.centroids, aims)
        return self._aims[1]

    def after_step(self, inputs: StepInputs) -> None:  # noqa: ARG002
        """Keep the scale in bounds."""
        keep_in_bounds(self.log_scale, self.spec.min_temperature)


class PrototypeContrastSpec(ObjectiveSpec):
    """Prototypical contrast (ProtoCLIP)."""

    kind: Literal["prototype_contrast"]
    student: Modality
    """The tower that learns."""
    source: Literal["image", "text", "teacher"] = Field(examples=["text"])
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

    def build(self, widths: Widths, model_scale: Tensor | None) -> PrototypeContrast:  # noqa: ARG002
        """Make the objective."""
        return PrototypeContrast(self)

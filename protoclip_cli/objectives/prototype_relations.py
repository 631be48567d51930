"""Let clusters lie to one another in the student's space as they do where they were found.

A definition of our own. The name ProtoRKD promises relational distillation between prototypes, and neither
ITRA nor its history has it. Read literally, relations among prototypes have no gradient: prototypes are
constants of an episode. So the student's side of a cluster is made anew in each step, from the rows of the
batch that belong to it: the mean of their unit features. The distances and angles (RKD,
https://arxiv.org/abs/1904.05068) among these means are drawn to those among the clusters' centroids in the
space of the source, a teacher's for example.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Modality, Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._relations import angle_relations, distance_relations
from protoclip_cli.objectives.base import Objective, ObjectiveSpec, projected


def batch_means(rows: Tensor, labels: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The means of the clusters with most rows in a batch.

    Args:
        rows: (B, P).
        labels: (B,), long, the cluster of each row.
        most: take so many clusters at most. Of those with equally many rows, the first ones.

    Returns:
        (C, P), the means, and (C,), long, whose they are, in ascending order.

    >>> means, clusters = batch_means(torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([7, 3, 7]), 1)
    >>> means.tolist(), clusters.tolist()
    ([[2.5]], [7])
    """
    clusters, place, counts = labels.unique(return_inverse=True, return_counts=True)
    sums = rows.new_zeros(len(clusters), rows.shape[1]).index_add(0, place, rows)
    chosen = counts.argsort(descending=True, stable=True)[:most].sort().values
    return sums[chosen] / counts[chosen, None], clusters[chosen]


class PrototypeRelations(Objective):
    """Relations among a batch's clusters. Every process computes all of them: they are of the whole batch."""

    def __init__(self, spec: PrototypeRelationsSpec) -> None:
        super().__init__()
        self.spec = spec

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of the whole batch."""
        board = inputs.prototypes[self.spec.source]
        rows = F.normalize(projected(inputs.of(self.spec.student)[0], self.spec.head), dim=-1)
        means, clusters = batch_means(rows, board.labels, self.spec.most)
        student = F.normalize(means, dim=-1)
        source = F.normalize(board.source[clusters].to(student.dtype), dim=-1)
        distance = distance_relations(student, source) if self.spec.distance else student.new_zeros(())
        angle = angle_relations(student, source) if self.spec.angle else student.new_zeros(())
        loss = self.spec.distance * distance + self.spec.angle * angle
        metrics = {"distance": distance.detach(), "angle": angle.detach()}
        return Outcome(loss, metrics | {"clusters": torch.tensor(float(len(clusters)), device=loss.device)})


class PrototypeRelationsSpec(ObjectiveSpec):
    """Distances and angles among clusters (a reading of ProtoRKD)."""

    kind: Literal["prototype_relations"]
    student: Modality = Modality.IMAGE
    """The tower that learns."""
    source: Literal["image", "text", "teacher"] = "teacher"
    """Whose features are clustered, and in whose space the clusters lie as they should."""
    head: str | None = "proto"
    """The head whose projections are averaged. Null: the embedding itself."""
    most: int = Field(256, ge=2)
    """Clusters of a step at most, those with most rows in the batch. The angles cost its third power."""
    distance: float = Field(0.5, ge=0)
    """Factor of the distances. 0: they are not computed."""
    angle: float = Field(1.0, ge=0)
    """Factor of the angles. 0: they are not computed."""

    @model_validator(mode="after")
    def _says_something(self) -> PrototypeRelationsSpec:
        if not self.distance and not self.angle:
            raise ValueError("distance and angle must not both be 0")
        return self

    def needs(self) -> Needs:
        """One view of the student, its head and the prototypes of the source."""
        return Needs(
            image_views=int(self.student is Modality.IMAGE),
            text_views=int(self.student is Modality.TEXT),
            heads=frozenset() if self.head is None else frozenset({self.head}),
            prototypes=frozenset({self.source}),
        )

    def build(self, widths: Widths, model_scale: Tensor | None) -> PrototypeRelations:  # noqa: ARG002
        """Make the objective."""
        return PrototypeRelations(self)

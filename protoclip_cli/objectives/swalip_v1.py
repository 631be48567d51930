"""SwALIP's first version: each side's prototype scores are drawn to the other side's balanced assignment.

Fini et al., Improved baselines for vision-language pre-training, 2023. https://arxiv.org/abs/2305.08675
After SwAV (https://arxiv.org/abs/2006.09882). Its own term only: a recipe names `info_nce` next to it.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.prototype_layer import PrototypeLayer
from protoclip_cli.core.types import Features, Modality, Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._learned_scale import keep_in_bounds
from protoclip_cli.objectives._sinkhorn import sinkhorn
from protoclip_cli.objectives.base import Objective, ObjectiveSpec, projected


def swapped_prototypes(
    image: Tensor, text: Tensor, image_assignment: Tensor, text_assignment: Tensor, scale: Tensor
) -> Tensor:
    """Cross entropy of each side's scores against the other side's assignment, mean of both directions.

    Args:
        image: (b, K), scores of images.
        text: (b, K), scores of texts.
        image_assignment: (b, K), each row sums to one.
        text_assignment: (b, K), as `image_assignment`.
        scale: scalar, the inverse temperature of the scores.

    Returns:
        Scalar, mean over rows.

    >>> sure = torch.eye(3)
    >>> round(swapped_prototypes(sure, sure, sure, sure, torch.tensor(1.0)).item(), 3)
    0.551
    """
    by_image = F.cross_entropy(scale * image, text_assignment)
    by_text = F.cross_entropy(scale * text, image_assignment)
    return (by_image + by_text) / 2


class SwALIPv1(Objective):
    """SwALIP v1. Prototypes stand still for the first steps.

    With `momentum_targets`, the features of the momentum copy are assigned to the present prototypes: they
    belong to the loss, and the copy has none of its own.
    """

    updates: Tensor

    def __init__(self, spec: SwALIPv1Spec, width: int) -> None:
        super().__init__()
        self.spec = spec
        image = PrototypeLayer(spec.prototypes, width)
        text = image if spec.shared_prototypes else PrototypeLayer(spec.prototypes, width)
        self.layers = nn.ModuleDict({"image": image} if text is image else {"image": image, "text": text})
        log_scale = torch.tensor(-math.log(spec.temperature))
        if spec.learn_temperature:
            self.log_scale: Tensor = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)
        self.register_buffer("updates", torch.zeros((), dtype=torch.long))
        self._learns = False

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        scores = {side: self._scores(side, inputs) for side in Modality}
        assignments = {side: self._assignment(side, inputs) for side in Modality}
        scale = self.log_scale.exp()
        loss = swapped_prototypes(
            scores[Modality.IMAGE],
            scores[Modality.TEXT],
            assignments[Modality.IMAGE],
            assignments[Modality.TEXT],
            scale,
        )
        return Outcome(loss, {"scale": scale.detach()})

    def _directions(self, side: Modality) -> Tensor:
        """(K, P), unit length."""
        layer = self.layers[side.value if side.value in self.layers else "image"]
        assert isinstance(layer, PrototypeLayer)
        return F.normalize(layer.directions, dim=-1)

    def _scores(self, side: Modality, inputs: StepInputs) -> Tensor:
        """(b, K), cosines of the own rows with the prototypes."""
        rows = F.normalize(projected(inputs.of(side)[0], self.spec.head)[inputs.own], dim=-1)
        directions = self._directions(side)
        return rows @ (directions if self._prototypes_learn() else directions.detach()).T

    @torch.no_grad()
    def _assignment(self, side: Modality, inputs: StepInputs) -> Tensor:
        """(b, K), of the own rows, balanced over all rows."""
        rows = F.normalize(projected(self._teaching(side, inputs)[0], self.spec.head), dim=-1)
        scores = rows @ self._directions(side).T
        return sinkhorn(scores, self.spec.iterations, self.spec.epsilon, bound=1.0)[inputs.own]

    def _teaching(self, side: Modality, inputs: StepInputs) -> tuple[Features, ...]:
        if not self.spec.momentum_targets:
            return inputs.of(side)
        return inputs.momentum_image if side is Modality.IMAGE else inputs.momentum_text

    def _prototypes_learn(self) -> bool:
        # Once they learn they go on, so the counter, which may be on another device, is not asked any more.
        self._learns = self._learns or int(self.updates) >= self.spec.still_steps
        return self._learns

    def after_step(self, inputs: StepInputs) -> None:  # noqa: ARG002
        """Count the step and keep the scale in bounds."""
        self.updates += 1
        keep_in_bounds(self.log_scale, self.spec.min_temperature)


class SwALIPv1Spec(ObjectiveSpec):
    """SwALIP v1: swapped assignments to learned prototypes."""

    kind: Literal["swalip_v1"]
    head: str | None = None
    """The head whose projections are compared with prototypes. Null: the embedding itself."""
    prototypes: int = Field(3000, gt=1)
    """How many directions both sides are compared with."""
    shared_prototypes: bool = True
    """One set for both sides. False: a set for each; both start from the same."""
    momentum_targets: bool = False
    """Assign what the momentum copy makes of a side, not the features themselves."""
    still_steps: int = Field(100, ge=0)
    """Steps before the prototypes begin to learn."""
    temperature: float = Field(0.1, gt=0, le=1)
    """Temperature of the scores, or where it starts."""
    learn_temperature: bool = False
    """Whether the temperature learns."""
    min_temperature: float = Field(0.01, gt=0, le=1)
    """A temperature that learns stays at or above this."""
    iterations: int = Field(3, ge=1)
    """Rounds of Sinkhorn's algorithm."""
    epsilon: float = Field(0.05, gt=0)
    """Temperature of the assignments."""

    def needs(self) -> Needs:
        """One view of each side with the head, and the momentum copy's where it teaches."""
        heads = frozenset() if self.head is None else frozenset({self.head})
        return Needs(image_views=1, text_views=1, heads=heads, momentum=self.momentum_targets)

    def build(self, widths: Widths, model_scale: Tensor | None) -> SwALIPv1:  # noqa: ARG002
        """Make the objective."""
        return SwALIPv1(self, widths.of(self.head))

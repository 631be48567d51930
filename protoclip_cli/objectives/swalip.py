"""SwALIP: similarities of one pair of views are drawn to balanced assignments of the others.

Fini et al., Improved baselines for vision-language pre-training, 2023. https://arxiv.org/abs/2305.08675
After SwAV (https://arxiv.org/abs/2006.09882), with the other side's batch for prototypes. Its own term only:
a recipe names `local_contrast` next to it. In the original both read one temperature; here each has its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Modality, Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._augmented import stacked
from protoclip_cli.objectives._both_ways import both_ways
from protoclip_cli.objectives._learned_scale import keep_in_bounds
from protoclip_cli.objectives._sinkhorn import sinkhorn
from protoclip_cli.objectives.base import Objective, ObjectiveSpec
from protoclip_cli.objectives.local_contrast import LocalContrastSpec


def swapped_assignment(
    image: Tensor,
    text: Tensor,
    scale: Tensor,
    own: slice = slice(None),
    *,
    iterations: int = 3,
    epsilon: float = 0.05,
    column_gradient: bool = True,
) -> Tensor:
    """Cross entropy of each pair of views against the assignments of the pairs that share no view with it.

    The pair (a, b) aims at the mean of the assignments of all pairs (c, d) with c != a and d != b. Of two
    views there is one such pair, and this is the original's loss, which looks at the first two views only.

    Args:
        image: (A, B, P) with A >= 2, unit length.
        text: (A, B, P), unit length.
        scale: scalar, the inverse temperature of the prediction. Assignments know epsilon only.
        own: the rows this process computes; all by default. Assignments are always of all rows.
        iterations: of Sinkhorn's.
        epsilon: temperature of the assignments.
        column_gradient: False: no gradient reaches what rows are compared with.

    Returns:
        Scalar, mean over own rows, A * A pairs of views and both directions.

    >>> views = torch.eye(4).expand(2, 4, 4)
    >>> round(swapped_assignment(views, views, torch.tensor(100.0)).item(), 3)
    0.0
    """
    pairs = list(product(range(len(image)), repeat=2))
    found = {(c, d): _assignments(image[c], text[d], own, iterations, epsilon) for c, d in pairs}
    losses = []
    for a, b in pairs:
        others = [found[c, d] for c, d in pairs if c != a and d != b]
        both = both_ways(image[a], text[b], scale, own, column_gradient)
        for logits, aims in zip(both, zip(*others, strict=True), strict=True):
            aim = aims[0] if len(aims) == 1 else torch.stack(aims).mean(dim=0)
            losses.append(F.cross_entropy(logits, aim))
    return torch.stack(losses).mean()


@torch.no_grad()
def _assignments(
    image: Tensor, text: Tensor, own: slice, iterations: int, epsilon: float
) -> tuple[Tensor, Tensor]:
    """(b, B) twice: of the own images to all texts, and of the own texts to all images."""
    scores = image @ text.T
    both = (sinkhorn(rows, iterations, epsilon, bound=1.0) for rows in (scores, scores.T))
    # A copy of the own rows, where they are not all: a view would keep the whole matrix.
    by_image, by_text = (whole if len(whole[own]) == len(whole) else whole[own].clone() for whole in both)
    return by_image, by_text


class SwALIP(Objective):
    """SwALIP, with a learned temperature of its own."""

    def __init__(self, spec: SwALIPSpec) -> None:
        super().__init__()
        self.spec = spec
        self.log_scale = nn.Parameter(torch.tensor(-math.log(spec.temperature)))

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        spec, scale = self.spec, self.log_scale.exp()
        views = [inputs.of(side)[1 : 1 + spec.augmented_views] for side in Modality]
        image, text = (F.normalize(stacked(side, spec.augmented_head), dim=-1) for side in views)
        loss = swapped_assignment(
            image,
            text,
            scale,
            inputs.own,
            iterations=spec.iterations,
            epsilon=spec.epsilon,
            column_gradient=spec.column_gradient,
        )
        return Outcome(loss, {"scale": scale.detach()})

    def after_step(self, inputs: StepInputs) -> None:  # noqa: ARG002
        """Keep the scale in bounds."""
        keep_in_bounds(self.log_scale, self.spec.min_temperature)


class SwALIPSpec(ObjectiveSpec):
    """SwALIP: swapped assignments between pairs of augmented views."""

    kind: Literal["swalip"]
    augmented_views: int = Field(2, ge=2)
    """A, how many views of each side there are besides the clean one, which is not read."""
    augmented_head: str | None = None
    """The head whose projections of the augmented views are read. Null: the embedding itself."""
    temperature: float = Field(0.1, gt=0, le=1)
    """Temperature of the predictions at the start of training."""
    min_temperature: float = Field(0.01, gt=0, le=1)
    """The learned temperature stays at or above this."""
    iterations: int = Field(3, ge=1)
    """Rounds of Sinkhorn's algorithm."""
    epsilon: float = Field(0.05, gt=0)
    """Temperature of the assignments."""
    column_gradient: bool = True
    """False: only the side that seeks its partner learns from a comparison, as in clip-rocket on several
    processes."""

    def needs(self) -> Needs:
        """The augmented views of both sides."""
        views = 1 + self.augmented_views
        heads = frozenset() if self.augmented_head is None else frozenset({self.augmented_head})
        return Needs(image_views=views, text_views=views, heads=heads)

    def clashes(self, others: Mapping[str, ObjectiveSpec]) -> Iterator[str]:
        """Smoothed labels of the same pairs of views: two soft targets for the same similarities."""
        for name, other in others.items():
            if isinstance(other, LocalContrastSpec) and other.label_smoothing:
                yield (
                    f"already has soft targets and does not go with label smoothing; set "
                    f"objectives.{name}.label_smoothing to 0"
                )

    def build(self, widths: Widths, model_scale: Tensor | None) -> SwALIP:  # noqa: ARG002
        """Make the objective."""
        return SwALIP(self)

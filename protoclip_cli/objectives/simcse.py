"""SimCSE: find the other encoding of a caption among all captions. What differs is what dropout left out.

Gao et al., SimCSE: Simple Contrastive Learning of Sentence Embeddings, 2021. https://arxiv.org/abs/2104.08821
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.base import Objective, ObjectiveSpec, projected
from protoclip_cli.objectives.info_nce import info_nce


class SimCSE(Objective):
    """InfoNCE between two views of the captions, at a fixed temperature."""

    def __init__(self, spec: SimCSESpec) -> None:
        super().__init__()
        self.spec = spec

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        first, second = (F.normalize(projected(view, self.spec.head), dim=-1) for view in inputs.text[:2])
        scale = first.new_tensor(1 / self.spec.temperature)
        loss, accuracy = info_nce(first, second, scale, inputs.own)
        return Outcome(loss, {"accuracy": accuracy})


class SimCSESpec(ObjectiveSpec):
    """SimCSE, for a text tower with dropout."""

    kind: Literal["simcse"]
    temperature: float = Field(0.05, gt=0)
    """Fixed. ITRA's is exp(-2.996), which is 0.05 to three digits."""
    head: str | None = None
    """The head to read. Null: the embedding itself."""

    def needs(self) -> Needs:
        """Two views of the caption, through a tower that drops something."""
        heads = frozenset({self.head} - {None})
        return Needs(text_views=2, heads=heads, dropout=frozenset({"text"}))  # type: ignore[arg-type]

    def build(self, widths: Widths, model_scale: Tensor | None) -> SimCSE:  # noqa: ARG002
        """Make the objective."""
        return SimCSE(self)

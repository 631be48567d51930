"""Cross entropy of class logits, which a head of the model gives. ITRA's `CrossEntropy`."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Modality, Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.base import Objective, ObjectiveSpec, projected


def class_loss(logits: Tensor, labels: Tensor, own: slice = slice(None)) -> tuple[Tensor, Tensor]:
    """Cross entropy over classes, the mean over all rows that have one.

    Args:
        logits: (b, classes), of the own rows.
        labels: (B,), long, of all rows; -1 for no class.
        own: which rows the logits are of; all by default.

    Returns:
        The loss and the share of rows whose class is ranked first, both such that their mean over processes
        is that of all rows. Zero, if no row has a class.

    >>> loss, accuracy = class_loss(10 * torch.eye(3), torch.tensor([0, 2, -1]))
    >>> round(loss.item(), 3), accuracy.item()
    (5.0, 0.5)
    """
    mine = labels[own]
    # Processes may hold unequally many rows with a class: each divides by the mean number of them.
    share = (labels >= 0).sum().clamp(min=1).to(logits.dtype) * (len(mine) / len(labels))
    loss = F.cross_entropy(logits, mine, ignore_index=-1, reduction="sum") / share
    right = (logits.detach().argmax(dim=-1) == mine).sum() / share
    return loss, right.to(loss.dtype)


class CrossEntropy(Objective):
    """Cross entropy of the class logits of one side or both."""

    def __init__(self, spec: CrossEntropySpec) -> None:
        super().__init__()
        self.spec = spec

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        assert inputs.labels is not None
        losses, metrics = [], {}
        for side in self.spec.modalities:
            logits = projected(inputs.of(side)[0], self.spec.head)[inputs.own]
            loss, metrics[f"{side.value}_accuracy"] = class_loss(logits, inputs.labels, inputs.own)
            losses.append(loss)
        total = torch.stack(losses).mean()
        metrics["classified"] = (inputs.labels[inputs.own] >= 0).to(total.dtype).mean()
        return Outcome(total, metrics)


class CrossEntropySpec(ObjectiveSpec):
    """Classification by a head of class logits."""

    kind: Literal["cross_entropy"]
    head: str
    """The head that gives a logit for each class."""
    sides: Literal["both", "image", "text"] = "both"
    """Whose logits. `both`: the mean of the two losses."""

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Whose logits."""
        return tuple(side for side in Modality if self.sides in {"both", side.value})

    def needs(self) -> Needs:
        """One view of each side it classifies, the head and labels."""
        return Needs(
            image_views=int(Modality.IMAGE in self.modalities),
            text_views=int(Modality.TEXT in self.modalities),
            heads=frozenset({self.head}),
            labels=True,
        )

    def build(self, widths: Widths, model_scale: Tensor | None) -> CrossEntropy:  # noqa: ARG002
        """Make the objective.

        Raises:
            RecipeError: the head has fewer logits than there are classes.
        """
        if widths.classes > widths.of(self.head):
            raise RecipeError(
                f"{self.kind}: the head '{self.head}' gives {widths.of(self.head)} logits, and the pairs "
                f"have {widths.classes} classes",
                hint=f"set model.heads.{self.head}.dim: {widths.classes}",
            )
        return CrossEntropy(self)

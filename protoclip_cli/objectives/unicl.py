"""UniCL: contrast images and texts, where all rows of a class belong together.

Yang et al., Unified Contrastive Learning in Image-Text-Label Space, 2022. https://arxiv.org/abs/2204.03610
ITRA takes the logarithm of a softmax, which is minus infinity at high scales; here it is a log-softmax.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._both_ways import both_ways
from protoclip_cli.objectives._learned_scale import LearnedScaleSpec, LearnsScale


def partners(labels: Tensor, own: slice = slice(None)) -> Tensor:
    """For each own row, the share of its attention that each row should get.

    Args:
        labels: (B,), long. A row of -1 belongs to no class: its own partner is all it has.
        own: the rows this process computes; all by default.

    Returns:
        (b, B), rows sum to one.

    >>> partners(torch.tensor([7, -1, 7, -1])).tolist()[:2]
    [[0.5, 0.0, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0]]
    """
    mine = labels[own]
    same = (mine[:, None] == labels) & (mine[:, None] >= 0)
    place = torch.arange(len(labels), device=labels.device)
    same |= place[own, None] == place
    return same / same.sum(dim=-1, keepdim=True)


def unicl(
    image: Tensor, text: Tensor, labels: Tensor, scale: Tensor, own: slice = slice(None)
) -> tuple[Tensor, Tensor]:
    """Cross entropy of finding the rows of one's class among all rows, averaged over both directions.

    Args:
        image: (B, D), unit length.
        text: (B, D), unit length. Row i belongs to image i.
        labels: (B,), long; -1 for a pair of no class. If all are, this is InfoNCE.
        scale: scalar, the inverse temperature.
        own: the rows this process computes; all by default.

    Returns:
        The mean loss of the own rows and the share of own images whose first text is of their class or their
        own, both scalars.

    >>> rows = torch.eye(3)[[0, 1, 0]]
    >>> loss, accuracy = unicl(rows, rows, torch.tensor([4, -1, 4]), torch.tensor(100.0))
    >>> round(loss.item(), 3), accuracy.item()  # two rows share one place: ln(2) is left for each of them
    (0.462, 1.0)
    """
    target = partners(labels, own).to(image.dtype)
    by_image, by_text = both_ways(image, text, scale, own)
    loss = (F.cross_entropy(by_image, target) + F.cross_entropy(by_text, target)) / 2
    first = by_image.detach().argmax(dim=-1, keepdim=True)
    return loss, (target.gather(1, first) > 0).to(loss.dtype).mean()


class UniCL(LearnsScale):
    """UniCL with a learned temperature."""

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        assert inputs.labels is not None
        scale = self.log_scale.exp()
        loss, accuracy = unicl(*self.pair(inputs), inputs.labels, scale, inputs.own)
        classified = (inputs.labels[inputs.own] >= 0).to(loss.dtype).mean()
        return Outcome(loss, {"accuracy": accuracy, "scale": scale.detach(), "classified": classified})


class UniCLSpec(LearnedScaleSpec):
    """UniCL, image-text contrast with classes."""

    kind: Literal["unicl"]

    def needs(self) -> Needs:
        """One view of each side, and labels."""
        return Needs(image_views=1, text_views=1, labels=True)

    def build(self, widths: Widths, model_scale: Tensor | None) -> UniCL:  # noqa: ARG002
        """Make the objective."""
        return UniCL(self.first_log_scale(model_scale), self.min_temperature)

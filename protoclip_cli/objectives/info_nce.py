"""InfoNCE between images and texts.

CLIP: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021.
https://arxiv.org/abs/2103.00020
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


def info_nce(
    image: Tensor,
    text: Tensor,
    scale: Tensor,
    own: slice = slice(None),
    bias: Tensor | None = None,
    column_gradient: bool = True,
) -> tuple[Tensor, Tensor]:
    """Cross entropy of finding each row's partner among all rows, averaged over both directions.

    Only the logits of the own rows are computed, (b, B) twice; where they are all, one (B, B) serves both.

    Args:
        image: (B, D), unit length.
        text: (B, D), unit length. Row i belongs to image i.
        scale: scalar, the inverse temperature.
        own: the rows this process computes; all by default.
        bias: scalar added to every logit, as open_clip allows. It changes neither value nor gradient.
        column_gradient: False: no gradient reaches what rows are compared with.

    Returns:
        The mean loss of the own rows and the share of own images that rank their text first, both scalars.

    >>> partners = torch.eye(4)
    >>> loss, accuracy = info_nce(partners, partners, torch.tensor(100.0))
    >>> round(loss.item(), 3), accuracy.item()
    (0.0, 1.0)
    """
    partner = torch.arange(len(image), device=image.device)[own]
    by_image, by_text = both_ways(image, text, scale, own, column_gradient)
    if bias is not None:
        by_image, by_text = by_image + bias, by_text + bias
    loss = (F.cross_entropy(by_image, partner) + F.cross_entropy(by_text, partner)) / 2
    accuracy = (by_image.detach().argmax(dim=-1) == partner).to(loss.dtype).mean()
    return loss, accuracy


class InfoNCE(LearnsScale):
    """InfoNCE with a learned temperature."""

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        scale = self.log_scale.exp()
        loss, accuracy = info_nce(*self.pair(inputs), scale, inputs.own)
        return Outcome(loss, {"accuracy": accuracy, "scale": scale.detach()})


class InfoNCESpec(LearnedScaleSpec):
    """InfoNCE (CLIP)."""

    kind: Literal["info_nce"]

    def needs(self) -> Needs:
        """One view of each side."""
        return Needs(image_views=1, text_views=1)

    def build(self, widths: Widths, model_scale: Tensor | None) -> InfoNCE:  # noqa: ARG002
        """Make the objective."""
        return InfoNCE(self.first_log_scale(model_scale), self.min_temperature)

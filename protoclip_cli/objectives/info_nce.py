"""InfoNCE between images and texts.

CLIP: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021.
https://arxiv.org/abs/2103.00020
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.base import Objective, ObjectiveSpec, as_float

_DEFAULT_TEMPERATURE = 0.07


def info_nce(
    image: Tensor, text: Tensor, scale: Tensor, own: slice = slice(None), bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Cross entropy of finding each row's partner among all rows, averaged over both directions.

    Only the logits of the own rows are computed: (b, B) twice, never (B, B).

    Args:
        image: (B, D), unit length.
        text: (B, D), unit length. Row i belongs to image i.
        scale: scalar, the inverse temperature.
        own: the rows this process computes; all by default.
        bias: scalar added to every logit, as open_clip allows. It changes neither value nor gradient.

    Returns:
        The mean loss of the own rows and the share of own images that rank their text first, both scalars.

    >>> partners = torch.eye(4)
    >>> loss, accuracy = info_nce(partners, partners, torch.tensor(100.0))
    >>> round(loss.item(), 3), accuracy.item()
    (0.0, 1.0)
    """
    partner = torch.arange(len(image), device=image.device)[own]
    by_image = scale * image[own] @ text.T
    by_text = scale * text[own] @ image.T
    if bias is not None:
        by_image, by_text = by_image + bias, by_text + bias
    loss = (F.cross_entropy(by_image, partner) + F.cross_entropy(by_text, partner)) / 2
    accuracy = (by_image.detach().argmax(dim=-1) == partner).to(loss.dtype).mean()
    return loss, accuracy


class InfoNCE(Objective):
    """InfoNCE with a learned temperature.

    The logarithm of the scale is kept in [0, ln(1 / min_temperature)] after each step, as in all originals: a
    clamp inside `forward` would have no gradient beyond the bound, and the scale could never come back.
    """

    def __init__(self, log_scale: float, min_temperature: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(log_scale))
        self.max_log_scale = -math.log(min_temperature)

    @property
    def model_scale(self) -> nn.Parameter:  # type: ignore[override]
        """The learned logarithm of the scale."""
        return self.log_scale

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        image, text = (
            F.normalize(as_float(side[0].embedding), dim=-1) for side in (inputs.image, inputs.text)
        )
        scale = self.log_scale.exp()
        loss, accuracy = info_nce(image, text, scale, inputs.own)
        return Outcome(loss, {"accuracy": accuracy, "scale": scale.detach()})

    def after_step(self, inputs: StepInputs) -> None:  # noqa: ARG002
        """Keep the scale in bounds."""
        with torch.no_grad():
            self.log_scale.clamp_(0, self.max_log_scale)


class InfoNCESpec(ObjectiveSpec):
    """InfoNCE (CLIP)."""

    kind: Literal["info_nce"]
    temperature: float | None = Field(None, gt=0, le=1)
    """Temperature at the start of training. Empty: a pretrained model's own, else 0.07."""
    min_temperature: float = Field(0.01, gt=0, le=1)
    """The learned temperature stays at or above this."""

    def needs(self) -> Needs:
        """One view of each side."""
        return Needs(image_views=1, text_views=1)

    def build(self, widths: Widths, model_scale: Tensor | None) -> InfoNCE:  # noqa: ARG002
        """Make the objective."""
        if self.temperature is not None:
            log_scale = -math.log(self.temperature)
        elif model_scale is not None:
            log_scale = float(model_scale)
        else:
            log_scale = -math.log(_DEFAULT_TEMPERATURE)
        return InfoNCE(log_scale, self.min_temperature)

"""SigLIP: of every pair of an image and a text, say whether they belong together.

Zhai et al., Sigmoid Loss for Language Image Pre-Training, 2023. https://arxiv.org/abs/2303.15343
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._learned_scale import LearnedScaleSpec, LearnsScale


def siglip_loss(
    image: Tensor,
    text: Tensor,
    scale: Tensor,
    bias: Tensor,
    own: slice = slice(None),
    chunk: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Binary cross entropy of all pairs of the own images with all texts, over the number of own images.

    Args:
        image: (B, D), unit length.
        text: (B, D), unit length. Row i belongs to image i.
        scale: scalar, the inverse temperature.
        bias: scalar, added to every logit.
        own: the images this process computes; all by default.
        chunk: images whose logits are there at a time; they are computed again in the backward pass.

    Returns:
        The loss and the share of own images that rank their text first, both scalars.

    >>> partners, scale, bias = torch.eye(3), torch.tensor(100.0), torch.tensor(-50.0)
    >>> loss, accuracy = siglip_loss(partners, partners, scale, bias)
    >>> round(loss.item(), 3), accuracy.item()
    (0.0, 1.0)
    """
    rows, partner = image[own], torch.arange(len(image), device=image.device)[own]
    if chunk is None:
        loss, found = _of_rows(rows, partner, text, scale, bias)
    else:
        parts = [
            checkpoint(_of_rows, *part, text, scale, bias, use_reentrant=False, preserve_rng_state=False)
            for part in zip(rows.split(chunk), partner.split(chunk), strict=True)
        ]
        loss, found = (torch.stack(column).sum() for column in zip(*parts, strict=True))
    return loss / len(rows), found / len(rows)


def _of_rows(
    image: Tensor, partner: Tensor, text: Tensor, scale: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """The sum of the losses of some images, and how many rank their text first."""
    negated = torch.addmm(-bias.to(image.dtype), scale * image, text.T, alpha=-1)
    # All pairs as strangers; of a pair that belongs together, softplus(-x) = softplus(x) - x.
    # Both from one matrix: in TF32 they would not cancel otherwise.
    matched = -negated.gather(1, partner[:, None])
    loss = -F.logsigmoid(negated).sum() - matched.sum()
    return loss, (negated.detach().argmin(dim=-1) == partner).sum().to(loss.dtype)


class SigLIP(LearnsScale):
    """The sigmoid loss with a learned temperature and bias. Only the scale is kept in bounds."""

    def __init__(self, spec: SigLIPSpec, log_scale: float) -> None:
        super().__init__(log_scale, spec.min_temperature)
        self.chunk = spec.chunk
        self.bias = nn.Parameter(torch.tensor(spec.bias))

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's images."""
        scale = self.log_scale.exp()
        loss, accuracy = siglip_loss(*self.pair(inputs), scale, self.bias, inputs.own, self.chunk)
        metrics = {"accuracy": accuracy, "scale": scale.detach(), "bias": self.bias.detach().clone()}
        return Outcome(loss, metrics)


class SigLIPSpec(LearnedScaleSpec):
    """The sigmoid loss of all pairs (SigLIP)."""

    kind: Literal["siglip"]
    temperature: float | None = Field(None, gt=0, le=1)
    """Temperature at the start of training. Empty: a pretrained model's own, else 0.1."""
    bias: float = -10.0
    """Bias at the start of training, whatever a pretrained model had. Almost all pairs are strangers."""
    chunk: int | None = Field(None, gt=0)
    """Images whose logits are in memory at a time. Takes a little longer. Empty: all of a process."""

    default_temperature: ClassVar[float] = 0.1

    def needs(self) -> Needs:
        """One view of each side."""
        return Needs(image_views=1, text_views=1)

    def build(self, widths: Widths, model_scale: Tensor | None) -> SigLIP:  # noqa: ARG002
        """Make the objective."""
        return SigLIP(self, self.first_log_scale(model_scale))

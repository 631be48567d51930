"""Say the next token of a caption from the image and the tokens before it.

CoCa: Yu et al., Contrastive Captioners are Image-Text Foundation Models, 2022. https://arxiv.org/abs/2205.01917
CoCa adds this at weight 2 to InfoNCE at weight 1; GenLIP trains on it alone.
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.base import Objective, ObjectiveSpec, as_float


def captioning_loss(logits: Tensor, targets: Tensor, count: Tensor) -> Tensor:
    """Cross entropy of the next tokens.

    Args:
        logits: (b, L, V).
        targets: (b, L), long; -100 where there is nothing to say.
        count: scalar, what the sum over targets is divided by: how many a process has, averaged over
            processes. So the mean over processes is the mean over all targets, wherever these are.

    Returns:
        Scalar.

    >>> import torch
    >>> targets = torch.tensor([[2, 0, -100]])
    >>> round(captioning_loss(torch.zeros(1, 3, 4), targets, torch.tensor(2.0)).item(), 4)
    1.3863
    """
    return (
        F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="sum") / count
    )


class Captioning(Objective):
    """The next-token loss."""

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows."""
        said = inputs.next_tokens
        assert said is not None
        return Outcome(captioning_loss(as_float(said.logits), said.targets, said.count))


class CaptioningSpec(ObjectiveSpec):
    """Next tokens of captions, for towers that say them. CoCa's `weight` is 2."""

    kind: Literal["captioning"]

    def needs(self) -> Needs:
        """One view of each side, and the next tokens."""
        return Needs(image_views=1, text_views=1, token_logits=True)

    def build(self, widths: Widths, model_scale: Tensor | None) -> Captioning:  # noqa: ARG002
        """Make the objective."""
        return Captioning()

"""BarLIP: the correlation between both sides' projections is drawn to the identity.

Fini et al., Improved baselines for vision-language pre-training, 2023. https://arxiv.org/abs/2305.08675
After Barlow Twins (https://arxiv.org/abs/2103.03230). Its own term only: a recipe names `local_contrast` next
to it. The projections are not normalised here: their head ends in a batch norm (`final_norm: affine`).
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from protoclip_cli.core.types import Modality, Outcome, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._augmented import AugmentedSpec
from protoclip_cli.objectives.base import Objective


def correlation_loss(
    image: Tensor, text: Tensor, off_diagonal: float, own: slice = slice(None)
) -> tuple[Tensor, Tensor]:
    """Squared distance of the correlation from the identity, over all pairs of a view of each side.

    With C = image.T @ text / B it is sum_i (C_ii - 1)^2 + off_diagonal * sum_{i != j} C_ij^2, where B counts
    the rows of all processes.

    Args:
        image: (A, B, P), each column of mean 0 and variance 1 if C is to be a correlation.
        text: (A, B, P), as `image`.
        off_diagonal: weight of the entries off the diagonal.
        own: the rows whose share of the entries this process computes; all by default.

    Returns:
        The mean over A * A pairs, whose mean over equal shares is the loss; and the mean of the diagonals.

    >>> views = torch.tensor([[[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]])
    >>> correlation_loss(views, views, 0.005)[0].item(), correlation_loss(views, -views, 0.005)[0].item()
    (0.0, 8.0)
    """
    by_rows = 2 * image[:, own].shape[1] < len(image) * image.shape[2]
    diagonal, squares = _by_rows(image, text, own) if by_rows else _by_columns(image, text)
    on, of_diagonal = ((diagonal - shift).square().sum(dim=-1).mean() for shift in (1, 0))
    return on + off_diagonal * (squares - of_diagonal), diagonal.mean().detach()


def _by_columns(image: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
    """The diagonals of all C (A * A, P) and the mean of their sums of squares, through (P, P) matrices."""
    correlations = [(u.T @ v) / len(u) for u in image for v in text]
    squares = torch.stack([c.square().sum() for c in correlations]).mean()
    return torch.stack([c.diagonal() for c in correlations]), squares


def _by_rows(image: Tensor, text: Tensor, own: slice) -> tuple[Tensor, Tensor]:
    """The same through (b, B) matrices: cheaper where columns are many, and two serve all pairs of views.

    The sum of squares of U.T @ V is that of the products of U @ U.T and V @ V.T, entry by entry. The entries
    of the own rows are taken B / b times, so their mean over equal shares is the whole.
    """
    of_image, of_text = (torch.einsum("abp,acp->bc", side[:, own], side) for side in (image, text))
    squares = (of_image * of_text).mean() / len(image) ** 2
    return torch.stack([(u * v).mean(dim=0) for u in image for v in text]), squares


class BarLIP(Objective):
    """BarLIP. The correlation is over the rows of all processes."""

    def __init__(self, spec: BarLIPSpec) -> None:
        super().__init__()
        self.spec = spec

    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute this process's share of the loss."""
        spec = self.spec
        image, text = (spec.clean(inputs.of(side)) for side in Modality)
        loss, correlation = correlation_loss(image, text, spec.off_diagonal, inputs.own)
        if spec.augmented_views:
            pairs = spec.augmented_views**2
            image, text = (spec.augmented(inputs.of(side)) for side in Modality)
            augmented, _ = correlation_loss(image, text, spec.off_diagonal, inputs.own)
            loss = (loss + pairs * augmented) / (1 + pairs)
        return Outcome(spec.factor * loss, {"correlation": correlation})


class BarLIPSpec(AugmentedSpec):
    """BarLIP: correlations between both sides."""

    kind: Literal["barlip"]
    off_diagonal: float = Field(0.005, ge=0)
    """Weight of the correlations of different columns."""
    factor: float = Field(0.025, gt=0)
    """Factor of the term, for it grows with the columns of the projections."""

    def build(self, widths: Widths, model_scale: Tensor | None) -> BarLIP:  # noqa: ARG002
        """Make the objective."""
        return BarLIP(self)

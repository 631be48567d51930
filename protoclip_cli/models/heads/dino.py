"""A perceptron without norms whose projections have unit length, as DINO's head and ITRA's.

Caron et al., Emerging Properties in Self-Supervised Vision Transformers, 2021. https://arxiv.org/abs/2104.14294
"""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.prototype_layer import PrototypeLayer
from protoclip_cli.models.heads.base import HeadSpec


class DinoHead(nn.Module):
    """A perceptron, unit length, and scores of prototypes if there are any."""

    def __init__(self, mlp: nn.Module, prototypes: PrototypeLayer | None) -> None:
        super().__init__()
        self.mlp = mlp
        self.prototypes = prototypes

    def forward(self, embedding: Tensor) -> Tensor:
        """Project embeddings, (b, D) to (b, P)."""
        projection = F.normalize(self.mlp(embedding), dim=-1)
        return projection if self.prototypes is None else self.prototypes(projection)


class DinoHeadSpec(HeadSpec):
    """Linear maps with GELU between them, then unit length."""

    kind: Literal["dino"]
    layers: int = Field(3, ge=0)
    """Linear maps. 0: the embedding itself at unit length."""
    hidden: int = Field(2048, gt=0)
    """Width between linear maps."""
    dim: int = Field(256, gt=0)
    """Width of the projection. With `layers: 0` that of the embedding."""
    prototypes: int | None = Field(None, gt=0)
    """Give the cosines with so many learned directions instead of the projection. The objectives `dino` and
    `proto_cpc` need none here: they have prototypes of their own, which both sides share."""

    @property
    def width(self) -> int:
        """Width of the projections, or how many prototypes there are."""
        return self.prototypes or self.dim

    def build(self, width: int) -> DinoHead:
        """Make the head.

        Raises:
            RecipeError: there is no layer to change the embedding's width.
        """
        if not self.layers and width != self.dim:
            raise RecipeError(
                f"a dino head without layers is as wide as what it reads, {width}, not {self.dim}",
                hint=f"set dim: {width}, or layers to 1 or more",
            )
        widths = [width, *[self.hidden] * (self.layers - 1), self.dim]
        blocks: list[nn.Module] = []
        for place in range(self.layers):
            blocks += [nn.Linear(widths[place], widths[place + 1]), nn.GELU()]
        for linear in blocks[::2]:
            nn.init.trunc_normal_(linear.weight, std=0.02)  # type: ignore[arg-type]
            nn.init.zeros_(linear.bias)  # type: ignore[arg-type]
        prototypes = None if self.prototypes is None else PrototypeLayer(self.prototypes, self.dim)
        return DinoHead(nn.Sequential(*blocks[:-1]), prototypes)

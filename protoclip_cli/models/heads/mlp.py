"""A multi-layer perceptron with batch norm, as ProtoCLIP's projection head."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from pydantic import Field
from torch import nn

from protoclip_cli.models.heads.base import HeadSpec


class MlpSpec(HeadSpec):
    """Hidden blocks of linear, batch norm and ReLU, then a linear map."""

    kind: Literal["mlp"]
    layers: int = Field(1, ge=0)
    """Hidden blocks. 0 is one linear map."""
    hidden: int = Field(2048, gt=0)
    """Width of the hidden blocks."""
    dim: int = Field(128, gt=0)
    """Width of the projection."""

    @property
    def width(self) -> int:
        """Width of the projections."""
        return self.dim

    def build(self, width: int) -> nn.Module:
        """Make the head."""
        widths = [width] + [self.hidden] * self.layers
        blocks: list[nn.Module] = []
        for before, after in pairwise(widths):
            blocks += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU(inplace=True)]
        return nn.Sequential(*blocks, nn.Linear(widths[-1], self.dim))

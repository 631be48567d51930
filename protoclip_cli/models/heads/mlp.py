"""A multi-layer perceptron. The defaults are ProtoCLIP's projection head; others are a matter of settings.

In clip-rocket (https://arxiv.org/abs/2305.08675) augmented views have `layers: 2, hidden: 4096`; BarLIP has
`layers: 2, hidden: 3000, dim: 8192, final_norm: affine`; SiamLIP and BYOLIP have `bias: false` and
`final_norm: plain`.
"""

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
    batch_norm: bool = True
    """Whether hidden blocks have a batch norm."""
    bias: bool = True
    """Whether the linear maps have biases."""
    final_norm: Literal["none", "affine", "plain"] = "none"
    """A batch norm at the end: with weights that learn, or without."""

    @property
    def width(self) -> int:
        """Width of the projections."""
        return self.dim

    def build(self, width: int) -> nn.Module:
        """Make the head."""
        widths = [width] + [self.hidden] * self.layers
        blocks: list[nn.Module] = []
        for before, after in pairwise(widths):
            blocks.append(nn.Linear(before, after, bias=self.bias))
            blocks += [nn.BatchNorm1d(after)] * self.batch_norm
            blocks.append(nn.ReLU(inplace=True))
        blocks.append(nn.Linear(widths[-1], self.dim, bias=self.bias))
        if self.final_norm != "none":
            blocks.append(nn.BatchNorm1d(self.dim, affine=self.final_norm == "affine"))
        return nn.Sequential(*blocks)

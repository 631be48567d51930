"""One linear map, as the projectors of CLIP and clip-rocket."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import nn

from protoclip_cli.models.heads.base import HeadSpec


class LinearSpec(HeadSpec):
    """A linear map that starts with variance 1 / D, so entries keep their size."""

    kind: Literal["linear"]
    dim: int = Field(128, gt=0)
    """Width of the projection."""
    bias: bool = False
    """Whether to add a bias."""

    @property
    def width(self) -> int:
        """Width of the projections."""
        return self.dim

    def build(self, width: int) -> nn.Module:
        """Make the head."""
        head = nn.Linear(width, self.dim, bias=self.bias)
        nn.init.normal_(head.weight, std=width**-0.5)
        if self.bias:
            nn.init.zeros_(head.bias)
        return head

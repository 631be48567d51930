"""LoKr: a Kronecker product, one factor of low rank, is added to a weight; peft's nearest to Compacter.

Edalati et al., KronA, 2022. https://arxiv.org/abs/2212.10650
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from protoclip_cli.models.adapters._peft import peft
from protoclip_cli.models.adapters.base import InjectedSpec


class LokrSpec(InjectedSpec):
    """W + alpha / rank C (x) (B A). One factor starts at zero, so the tower starts as it is."""

    kind: Literal["lokr"]
    rank: int = Field(8, gt=0)
    """Columns of B and rows of A."""
    alpha: float = Field(8.0, gt=0)
    """Weight of the product, before the division by the rank."""

    def config(self) -> Any:
        """Peft's configuration."""
        return peft().LoKrConfig(r=self.rank, alpha=self.alpha)

"""LoHa: the elementwise product of two low-rank matrices is added to a weight.

Hyeon-Woo et al., FedPara, 2022. https://arxiv.org/abs/2108.06098
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from protoclip_cli.models.adapters._peft import peft
from protoclip_cli.models.adapters.base import InjectedSpec


class LohaSpec(InjectedSpec):
    """W + alpha / rank (B1 A1) * (B2 A2). One factor starts at zero, so the tower starts as it is."""

    kind: Literal["loha"]
    rank: int = Field(8, gt=0)
    """Columns of each B and rows of each A."""
    alpha: float = Field(8.0, gt=0)
    """Weight of the product, before the division by the rank."""

    def config(self) -> Any:
        """Peft's configuration."""
        return peft().LoHaConfig(r=self.rank, alpha=self.alpha)

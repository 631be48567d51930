"""LoRA: a product of two thin matrices is added to a weight.

Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021. https://arxiv.org/abs/2106.09685
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import nn

from protoclip_cli.models.adapters._peft import peft
from protoclip_cli.models.adapters.base import InjectedSpec


class LoraSpec(InjectedSpec):
    """W + alpha / rank B A. B starts at zero, so the tower starts as it is."""

    kind: Literal["lora"]
    rank: int = Field(8, gt=0)
    """Columns of B and rows of A."""
    alpha: float = Field(16.0, gt=0)
    """Weight of the product, before the division by the rank."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the inputs of A that are dropped. Attentions of torch take none."""
    dora: bool = False
    """Learn the length of each column apart from its direction. https://arxiv.org/abs/2402.09353"""

    takes: ClassVar[tuple[type[nn.Module], ...]] = (nn.Linear, nn.MultiheadAttention)

    def config(self) -> Any:
        """Peft's configuration."""
        return peft().LoraConfig(
            r=self.rank, lora_alpha=self.alpha, lora_dropout=self.dropout, use_dora=self.dora
        )

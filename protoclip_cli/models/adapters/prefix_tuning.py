"""Prefix tuning: learned keys and values before those of the text, in every layer.

Li and Liang, Prefix-Tuning: Optimizing Continuous Prompts for Generation, 2021. https://arxiv.org/abs/2101.00190
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from protoclip_cli.models.adapters._peft import peft
from protoclip_cli.models.adapters._prompt import prompt
from protoclip_cli.models.adapters.base import AdapterSpec


class PrefixTuningSpec(AdapterSpec):
    """Learned keys and values, for encoders of transformers."""

    kind: Literal["prefix_tuning"]
    length: int = Field(30, gt=0)
    """How many."""

    mergeable: ClassVar[bool] = False

    def insert(self, root: nn.Module, names: Sequence[str]) -> None:
        """Wrap the encoder."""
        config = peft().PrefixTuningConfig(num_virtual_tokens=self.length, task_type="FEATURE_EXTRACTION")
        prompt(root, names, config, added=0, kind=self.kind)

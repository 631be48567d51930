"""Prompt tuning: learned token embeddings before those of the text.

Lester et al., The Power of Scale for Parameter-Efficient Prompt Tuning, 2021. https://arxiv.org/abs/2104.08691
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from pydantic import Field
from torch import nn

from protoclip_cli.models.adapters._peft import peft
from protoclip_cli.models.adapters._prompt import prompt
from protoclip_cli.models.adapters.base import AdapterSpec


class PromptTuningSpec(AdapterSpec):
    """Learned token embeddings, for encoders of transformers. Pooling sees the text's own tokens alone."""

    kind: Literal["prompt_tuning"]
    length: int = Field(20, gt=0)
    """How many."""

    mergeable: ClassVar[bool] = False

    def insert(self, root: nn.Module, names: Sequence[str]) -> None:
        """Wrap the encoder."""
        config = peft().PromptTuningConfig(num_virtual_tokens=self.length, task_type="FEATURE_EXTRACTION")
        prompt(root, names, config, added=self.length, kind=self.kind)

"""IA3: activations are multiplied by learned vectors.

Liu et al., Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning, 2022.
https://arxiv.org/abs/2205.05638
"""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from protoclip_cli.models.adapters._peft import peft
from protoclip_cli.models.adapters.base import InjectedSpec


class IA3Spec(InjectedSpec):
    """The output of each target is multiplied by a vector of ones, which learns."""

    kind: Literal["ia3"]
    takes_named = (nn.Conv2d,)

    def config(self) -> Any:
        """Peft's configuration."""
        return peft().IA3Config(feedforward_modules=[])

"""What a head is."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from protoclip_cli.core.spec import Spec


class HeadSpec(Spec, ABC):
    """How a recipe writes a head. Each tower gets one of its own."""

    kind: str
    shared_start: bool = True
    """Start the image head and the text head from the same weights, as the original does."""

    @property
    @abstractmethod
    def width(self) -> int:
        """P, of the projections."""

    @abstractmethod
    def build(self, width: int) -> nn.Module:
        """Make the head: (b, D) to (b, P).

        Args:
            width: D, of the embedding.
        """

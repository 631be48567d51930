"""What a head is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

from torch import nn

from protoclip_cli.core.spec import Spec
from protoclip_cli.core.types import Modality


class HeadSpec(Spec, ABC):
    """How a recipe writes a head. Each tower gets one of its own."""

    kind: str
    shared_start: bool = True
    """Start the image head and the text head from the same weights, as the original does; where both read
    features of one width."""
    of: Literal["embedding", "backbone"] = "embedding"
    """What the head reads. `backbone`: what a tower has before it projects into the shared space."""
    detach: tuple[Modality, ...] = ()
    """Towers that learn nothing through the head; [text] is clip-rocket's detached projector."""

    @property
    @abstractmethod
    def width(self) -> int:
        """P, of the projections."""

    @abstractmethod
    def build(self, width: int) -> nn.Module:
        """Make the head: (b, D) or (b, any width) to (b, P).

        Args:
            width: of what it reads: D, or the width of the tower's backbone.
        """

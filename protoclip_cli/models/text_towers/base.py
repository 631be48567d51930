"""What a builder of text towers is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from protoclip_cli.core.spec import Spec
from protoclip_cli.models.towers import Tokenizer


@dataclass(frozen=True, slots=True)
class TextTower:
    """A text tower without a projection into a shared space."""

    module: nn.Module
    """(b, L) tokens, long, to (b, D)."""
    width: int
    """D."""
    tokenizer: Tokenizer
    pad: int
    """The token that fills up short texts."""
    short_texts: bool
    """Whether texts may be padded to the longest of a batch instead of the context length."""
    described: dict[str, Any]
    """All it takes for `TextTowerSpec.rebuild`, the tokenizer included; plain values."""
    notes: tuple[str, ...] = ()
    """What the user should know of the weights."""


class TextTowerSpec(Spec, ABC):
    """A text tower of a library."""

    kind: str
    can_use_vocabulary: ClassVar[bool] = False
    """Whether `model.vocabulary: used` works."""

    @abstractmethod
    def build(self) -> TextTower:
        """Make the tower, with weights if the spec names some.

        Raises:
            MissingExtra: its library is not installed.
            RecipeError: no such model or weights.
        """

    @staticmethod
    @abstractmethod
    def rebuild(described: dict[str, Any]) -> TextTower:
        """Make the tower of a description again, without weights and without a network."""

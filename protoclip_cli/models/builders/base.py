"""What a builder is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

from pydantic import Field

from protoclip_cli.core.spec import Spec
from protoclip_cli.models.adapt import AdaptersSpec
from protoclip_cli.models.heads import HEADS, HeadSpec
from protoclip_cli.models.towers import Towers

AnyHead: Any = HEADS.any


class ModelSpec(Spec, ABC):
    """How a recipe writes a model."""

    kind: str
    heads: dict[str, AnyHead] = Field(default_factory=dict)
    """Named projections of the embeddings."""
    adapters: AdaptersSpec = AdaptersSpec()
    """Small modules in a tower that learn instead of it."""
    sync_norm: bool = True
    """Compute batch-norm statistics over all processes. The originals did not."""
    vocabulary: Literal["full", "used"] = "full"
    """`used`: only the tokens that the captions use learn. Saved models have the full table all the same."""

    @property
    def head_specs(self) -> dict[str, HeadSpec]:
        """The heads, typed."""
        return self.heads

    @property
    def starts_from_chance(self) -> bool:
        """Whether no part of the model has learned anything before."""
        return False

    @abstractmethod
    def build(self) -> Towers:
        """Make the towers, with weights if the spec names some.

        Raises:
            RecipeError: no such model or weights.
        """

    @staticmethod
    @abstractmethod
    def rebuild(config: dict[str, Any]) -> Towers:
        """Make the towers a `Description` is of, without weights."""

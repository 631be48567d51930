"""The recipe of `protoclip extract-teacher`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from protoclip_cli.core.spec import Spec
from protoclip_cli.models.builders import TEXT_ENCODERS
from protoclip_cli.recipe.parts import AnyPairs

AnyTextEncoder: Any = TEXT_ENCODERS.any


class ExtractTeacherRecipe(Spec):
    """One bank of features."""

    name: str = Field("teacher", min_length=1)
    """What it is called."""
    seed: int = Field(0, ge=0)
    """Of what is left to chance, such as the captions that components are fitted on."""
    pairs: AnyPairs
    """Whose captions to embed."""
    teacher: AnyTextEncoder
    """Who embeds them."""
    dtype: Literal["float16", "float32"] = "float32"
    """Type of the features on disk."""

    def resolved(self) -> dict[str, Any]:
        """Plain values of all keys."""
        return self.model_dump(mode="json")

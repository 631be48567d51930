"""The recipe of `protoclip evaluate`."""

from __future__ import annotations

from pydantic import Field

from protoclip_cli.recipe.parts import EvaluateSpec


class EvaluateRecipe(EvaluateSpec):
    """What to evaluate a model on."""

    name: str = Field("evaluate", min_length=1)
    """What this set of tasks is called."""
    seed: int = Field(0, ge=0)
    """Of every choice that is left to chance."""

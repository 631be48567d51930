"""Specs: the typed form of what a user writes in a recipe."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """Base of everything that can stand in a recipe.

    Unknown keys are errors and values never change after loading. The string below a field is its
    description. Values are coerced, because YAML 1.1 reads `1e-4` as a string.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

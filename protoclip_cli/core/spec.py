"""Specs: the typed form of what a user writes in a recipe."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError


class Spec(BaseModel):
    """Base of everything that can stand in a recipe.

    Unknown keys are errors that name the nearest known one, and values never change after loading. The string
    below a field is its description. Values are coerced, because YAML 1.1 reads `1e-4` as a string.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _advise(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            details = [_advice(cls, detail) for detail in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(error.title, details) from None


def _advice(cls: type[BaseModel], detail: Any) -> InitErrorDetails:
    """An error with, for an unknown key, the nearest known one."""
    kind: Any = PydanticCustomError(detail["type"], "{text}", {"text": detail["msg"]})
    if detail["type"] == "extra_forbidden":
        close = get_close_matches(str(detail["loc"][-1]), cls.model_fields, n=1)
        text = f"unknown key; did you mean '{close[0]}'?" if close else "unknown key"
        kind = PydanticCustomError("unknown_key", "{text}", {"text": text})
    elif detail["type"] == "missing":
        kind = PydanticCustomError("missing_key", "{text}", {"text": "this key is missing"})
    return InitErrorDetails(type=kind, loc=detail["loc"], input=detail["input"])

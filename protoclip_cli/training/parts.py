"""A batch in parts, for models whose activations of the whole do not fit."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from protoclip_cli.core.types import Batch


@dataclass(frozen=True, slots=True)
class Accumulation:
    """How gradients of a step are put together from parts of its batch."""

    parts: int = 1
    kind: Literal["grad_cache", "plain"] = "grad_cache"
    """See `step.Stepper`."""


WHOLE = Accumulation()


def split(batch: Batch, parts: int) -> list[Batch]:
    """Equal parts of a batch."""

    def pieces(value: Any) -> list[Any]:
        if value is None:
            return [None] * parts
        if isinstance(value, tuple):
            return [tuple(column) for column in zip(*map(pieces, value), strict=True)] or [()] * parts
        return list(value.chunk(parts))

    columns = {field.name: pieces(getattr(batch, field.name)) for field in fields(batch)}
    return [Batch(**{name: column[i] for name, column in columns.items()}) for i in range(parts)]

"""Adapters in the towers of a model: put in, and taken up by the plain weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import field_validator

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.spec import Spec
from protoclip_cli.core.types import Modality
from protoclip_cli.models.adapters import ADAPTERS, AdapterSpec
from protoclip_cli.models.adapters._itra_names import advice
from protoclip_cli.models.adapters._peft import take_up
from protoclip_cli.models.adapters.base import is_named
from protoclip_cli.models.towers import Towers

AnyAdapter: Any = ADAPTERS.any


class AdaptersSpec(Spec):
    """Adapters of both towers. A tower with one is frozen but for it."""

    image: AnyAdapter | None = None
    """Of the image tower. Empty: none."""
    text: AnyAdapter | None = None
    """Of the text tower. Empty: none."""

    @field_validator("image", "text", mode="before")
    @classmethod
    def _no_name_of_itra(cls, value: Any) -> Any:
        if isinstance(value, dict) and (words := advice(str(value.get("kind")))):
            raise ValueError(words)
        return value

    @property
    def by_side(self) -> dict[Modality, AdapterSpec]:
        """The adapters of the towers that have one."""
        found: dict[Modality, AdapterSpec | None] = {Modality.IMAGE: self.image, Modality.TEXT: self.text}
        return {side: spec for side, spec in found.items() if spec is not None}


def insert(towers: Towers, side: Modality, spec: AdapterSpec) -> frozenset[str]:
    """Put an adapter into a tower.

    Returns:
        Names of the tower's parameters that do not learn: its own, but for those the spec names.

    Raises:
        RecipeError: the tower has no place for it.
        MissingExtra: peft is not installed.
    """

    def is_mine(name: str) -> bool:
        return towers.is_image(name) == (side is Modality.IMAGE)

    own = {id(parameter): name for name, parameter in towers.named_parameters() if is_mine(name)}
    for pattern in spec.train_also:
        if not any(is_named(name, [pattern]) for name in own.values()):
            raise RecipeError(
                f"model.adapters.{side.value}.train_also: '{pattern}' names no parameter of the tower",
                hint=f"parameters are called {', '.join(sorted(own.values())[:3])}, ...",
            )
    before_projection = [
        name
        for name, _ in towers.named_modules()
        if name and is_mine(name) and not _is_of_projection(towers, name)
    ]
    spec.insert(towers, before_projection)
    return frozenset(
        name
        for name, parameter in towers.named_parameters()
        if id(parameter) in own and not is_named(own[id(parameter)], spec.train_also)
    )


def _is_of_projection(towers: Towers, module: str) -> bool:
    inside = [name for name, _ in towers.get_submodule(module).named_parameters(prefix=module)]
    return bool(inside) and all(towers.is_projection(name) for name in inside)


def merge(towers: Towers, adapters: Mapping[Modality, AdapterSpec]) -> str | None:
    """Let the plain weights take up what adapters have learned, in place.

    Returns:
        Why that cannot be, as a sentence; None: it is done.
    """
    for side, spec in adapters.items():
        if not spec.mergeable:
            return f"the {side.value} tower's adapter {spec.kind} cannot be merged into plain weights"
    if adapters:
        take_up(towers)
    return None

"""Catalogs: one module per kind, found by its file name.

`Catalog("protoclip_cli.objectives", ObjectiveSpec)` finds `kind: seed` in
`protoclip_cli/objectives/seed.py`, in the one `ObjectiveSpec` that module defines. Adding a kind is adding a
file: there is no list to extend, and nothing is registered while importing.
"""

from __future__ import annotations

import importlib
import pkgutil
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import SerializeAsAny, WrapValidator
from pydantic.functional_validators import ModelWrapValidatorHandler

from protoclip_cli.core.spec import Spec

S = TypeVar("S", bound=Spec)


class Catalog(Generic[S]):
    """The kinds of one component."""

    def __init__(self, package: str, base: type[S], *, default: str | None = None) -> None:
        self.package = package
        self.base = base
        self.default = default

    def kinds(self) -> list[str]:
        """All kinds, sorted, without importing any of them."""
        folder = Path(__file__).parents[1].joinpath(*self.package.split(".")[1:])
        names = (module.name for module in pkgutil.iter_modules([str(folder)]))
        return sorted(name for name in names if name != "base" and not name.startswith("_"))

    def spec(self, kind: str) -> type[S]:
        """The spec class of a kind.

        Raises:
            ValueError: no such kind; the message names the nearest one.
        """
        if kind not in (known := self.kinds()):
            close = get_close_matches(str(kind), known, n=1)
            advice = f"did you mean '{close[0]}'?" if close else f"choose from {', '.join(known)}"
            raise ValueError(f"unknown kind '{kind}'; {advice}")
        module = importlib.import_module(f"{self.package}.{kind}")
        found = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, self.base) and value.__module__ == module.__name__
        ]
        if len(found) != 1:
            raise TypeError(f"{module.__name__} must define one {self.base.__name__}, not {len(found)}")
        return found[0]

    def parse(self, value: Any, handler: ModelWrapValidatorHandler[S]) -> S:
        """Validate a mapping with the spec its `kind` names."""
        if not isinstance(value, dict):
            return handler(value)
        kind = value.get("kind", self.default)
        if kind is None:
            raise ValueError(f"needs a `kind`, one of {', '.join(self.kinds())}")
        return self.spec(kind).model_validate({"kind": kind} | value)

    @property
    def any(self) -> Any:
        """The annotation of a recipe field that takes any kind of this catalog."""
        return Annotated[SerializeAsAny[self.base], WrapValidator(self.parse)]  # type: ignore[name-defined]

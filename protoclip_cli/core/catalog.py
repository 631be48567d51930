"""Catalogs: one module per kind, found by its file name.

`Catalog("protoclip_cli.objectives", ObjectiveSpec)` finds `kind: seed` in
`protoclip_cli/objectives/seed.py`, in the one `ObjectiveSpec` that module defines. Adding a kind is adding a
file: there is no list to extend, and nothing is registered while importing. A kind with a colon is a class in
somebody's own package: `kind: package.module:Class`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Generic, TypeVar, get_args

from pydantic import GetJsonSchemaHandler, SerializeAsAny, WrapValidator
from pydantic.functional_validators import ModelWrapValidatorHandler

from protoclip_cli.core.named_class import PATTERN, named_class
from protoclip_cli.core.spec import Spec

S = TypeVar("S", bound=Spec)


class Catalog(Generic[S]):
    """The kinds of one component."""

    def __init__(
        self,
        package: str,
        base: type[S],
        *,
        default: str | None = None,
        default_with: Mapping[str, str] = MappingProxyType({}),
        shared: bool = False,
    ) -> None:
        """Look into a package.

        Args:
            package: whose modules are the kinds.
            base: of the specs.
            default: the kind of a mapping that names none.
            default_with: another kind of such a mapping, by a key that tells it.
            shared: some modules are kinds of another catalog only: those without such a spec.
        """
        self.package = package
        self.base = base
        self.default = default
        self.default_with = default_with
        self.shared = shared

    def kinds(self) -> list[str]:
        """All kinds, sorted; without importing any of them unless the package is shared."""
        folder = Path(__file__).parents[1].joinpath(*self.package.split(".")[1:])
        names = (module.name for module in pkgutil.iter_modules([str(folder)]))
        known = sorted(name for name in names if name != "base" and not name.startswith("_"))
        return [kind for kind in known if not self.shared or self._specs(kind)]

    def spec(self, kind: str, *, here: bool = False) -> type[S]:
        """The spec class of a kind.

        Args:
            kind: the name of one of ours, or `package.module:Class`.
            here: look for such a package in the current directory too; for kinds that the user wrote.

        Raises:
            ValueError: no such kind; the message names the nearest one.
        """
        if ":" in str(kind):
            return self._own(str(kind), here)
        if kind not in (known := self.kinds()):
            close = get_close_matches(str(kind), known, n=1)
            advice = f"did you mean '{close[0]}'?" if close else f"choose from {', '.join(known)}"
            raise ValueError(f"unknown kind '{kind}'; {advice}")
        found = self._specs(kind)
        if len(found) != 1:
            raise TypeError(f"{self.package}.{kind} must define one {self.base.__name__}, not {len(found)}")
        return found[0]

    def _own(self, kind: str, here: bool) -> type[S]:
        spec = named_class(kind, self.base, here=here)
        if kind not in (allowed := get_args(spec.model_fields["kind"].annotation) or (kind,)):
            raise ValueError(f"'{kind}' calls itself kind '{allowed[0]}'; leave `kind` out of the class")
        return spec

    def _specs(self, kind: str) -> list[type[S]]:
        module = importlib.import_module(f"{self.package}.{kind}")
        return [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, self.base)
            and value.__module__ == module.__name__
        ]

    def parse(self, value: Any, handler: ModelWrapValidatorHandler[S]) -> S:
        """Validate a mapping with the spec its `kind` names."""
        if not isinstance(value, dict):
            return handler(value)
        told = (kind for key, kind in self.default_with.items() if key in value)
        kind = value.get("kind", next(told, self.default))
        if kind is None:
            raise ValueError(f"needs a `kind`, one of {', '.join(self.kinds())}")
        return self.spec(kind, here=True).model_validate({"kind": kind} | value)

    @property
    def any(self) -> Any:
        """The annotation of a recipe field that takes any kind of this catalog."""
        kinds: Any = SerializeAsAny.__class_getitem__(self.base)  # type: ignore[type-arg]
        return Annotated[kinds, WrapValidator(self.parse), _OneOf(self)]


def one_of(catalog: Catalog[Any], *others: type[Spec], without: str | None = None) -> Any:
    """An annotation that makes a field's JSON schema list all kinds of a catalog but one, and other specs."""
    return _OneOf(catalog, *others, without=without)


class _OneOf:
    """Makes the JSON schema of a field list all kinds of its catalog."""

    def __init__(self, catalog: Catalog[Any], *others: type[Spec], without: str | None = None) -> None:
        self.catalog = catalog
        self.without = without
        self.others = others

    def __get_pydantic_json_schema__(self, core: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Every kind's own schema, whole, so that no reference points out of it."""
        kinds = []
        for kind in self.catalog.kinds():
            if kind == self.without:
                continue
            schema = self.catalog.spec(kind).model_json_schema()
            schema = _inlined(schema, schema.pop("$defs", {}))
            schema["properties"]["kind"]["const"] = kind
            if kind in {self.catalog.default, *self.catalog.default_with.values()}:
                schema["required"] = [key for key in schema.get("required", []) if key != "kind"]
            kinds.append(schema)
        for other in self.others:
            schema = other.model_json_schema()
            kinds.append(_inlined(schema, schema.pop("$defs", {})))
        return {"oneOf": [*kinds, _OWN]}


_OWN = {
    "title": "YourOwn",
    "description": "A class in a package of your own.",
    "type": "object",
    "properties": {"kind": {"type": "string", "pattern": PATTERN, "description": "package.module:Class"}},
    "required": ["kind"],
    "additionalProperties": True,
}
"""The JSON schema of a kind in somebody's own package."""


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """A schema with its references replaced by what they refer to."""
    if isinstance(node, list):
        return [_inlined(child, definitions) for child in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        found = definitions[node["$ref"].rpartition("/")[2]]
        rest = {key: value for key, value in node.items() if key != "$ref"}
        return _inlined({**found, **rest}, definitions)
    return {key: _inlined(value, definitions) for key, value in node.items()}

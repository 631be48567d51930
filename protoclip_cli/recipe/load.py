"""Read a recipe, with overrides, into its typed form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.spec import Spec
from protoclip_cli.recipe.yaml_file import Document, read_value, read_yaml
from protoclip_cli.store.files import write_text

R = TypeVar("R", bound=Spec)


def load_recipe(path: Path, schema: type[R], overrides: Sequence[str] = ()) -> R:
    """Load a recipe.

    Args:
        path: a YAML file.
        schema: the recipe's type.
        overrides: `dotted.key=value`, the value read as YAML. Later ones win.

    Raises:
        RecipeError: the file is missing, or does not describe a run. All mistakes are listed.
    """
    return _validated(_read(path), schema, overrides, str(path))


def read_values(path: Path) -> dict[str, Any]:
    """The values of a recipe's file as they stand there.

    Raises:
        RecipeError: the file is missing or not a recipe.
    """
    return dict(_read(path).tree)


def load_values(values: dict[str, Any], schema: type[R], overrides: Sequence[str] = ()) -> R:
    """Load a recipe put together from a command's options.

    Raises:
        RecipeError: it does not describe anything that can be run. All mistakes are listed.
    """
    return _validated(Document(values), schema, overrides, "what the options say")


def _read(path: Path) -> Document:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"cannot read {path}: {error}", hint="`protoclip recipes ls` lists recipes"
        ) from None
    document = read_yaml(text, str(path))
    if not isinstance(document.tree, dict):
        raise RecipeError(f"{path} is not a recipe: it should be keys with values")
    return document


def _validated(document: Document, schema: type[R], overrides: Sequence[str], where: str) -> R:
    for override in overrides:
        _apply(document.tree, override)
    try:
        return schema.model_validate(document.tree)
    except ValidationError as error:
        mistakes = _describe(error, Path(where).name, document)
        raise RecipeError(f"{where} is not a valid recipe\n{mistakes}") from None


def save_recipe(recipe: Spec, path: Path) -> None:
    """Write a recipe with all its keys."""
    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_text(path, text)


def difference(before: Any, after: Any, path: str = "") -> list[str]:
    """What changed between two recipes, a line for each key.

    >>> difference({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "c": 2})
    ['a.b: 1 -> 3']
    """
    if isinstance(before, dict) and isinstance(after, dict):
        keys = list(dict.fromkeys([*before, *after]))
        return [
            line
            for key in keys
            for line in difference(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
        ]
    return [] if before == after else [f"{path}: {before} -> {after}"]


def _apply(tree: Any, override: str) -> None:
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise RecipeError(
            f"--set {override} has no value", hint="write --set key=value or --set part.key=value"
        )
    *parents, last = (part for part in dotted.split("."))
    for parent in parents:
        tree = _child(tree, parent, override)
    try:
        value = read_value(text)
    except yaml.YAMLError:
        raise RecipeError(f"--set {override}: the value is not valid YAML") from None
    if isinstance(tree, list):
        tree[_place(tree, last, override)] = value
    else:
        tree[last] = value


def _child(tree: Any, key: str, override: str) -> Any:
    if isinstance(tree, list):
        return tree[_place(tree, key, override)]
    if tree.get(key) is None:
        tree[key] = {}
    if not isinstance(tree[key], dict | list):
        raise RecipeError(f"--set {override}: '{key}' has the value {tree[key]!r} and no keys")
    return tree[key]


def _place(tree: list[Any], key: str, override: str) -> int:
    if re.fullmatch(r"\d+", key) and int(key) < len(tree):
        return int(key)
    raise RecipeError(f"--set {override}: '{key}' is not a place in a list of {len(tree)}")


def _describe(error: ValidationError, name: str, document: Document) -> str:
    lines = []
    for entry in error.errors(include_url=False):
        place = tuple(part for part in entry["loc"] if part != "[key]")
        line = document.line(place)
        where = f"{name}:{line}" if line else name
        key = ".".join(map(str, place)) or "recipe"
        lines.append(f"  {where}: {key}: {entry['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)

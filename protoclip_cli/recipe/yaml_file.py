"""YAML with the lines things stand on: for errors that point at them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from protoclip_cli.core.errors import RecipeError

Path = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """Safe YAML that reads `1e-4` as a number."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d[\d_]*)(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


@dataclass(slots=True)
class Document:
    """The content of a file and the line of each key."""

    tree: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def line(self, path: Path) -> int | None:
        """The line of a key, or of the nearest key above it."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path)


def read_yaml(text: str, where: str) -> Document:
    """Parse YAML.

    Args:
        text: the content.
        where: what to call it in errors.

    Raises:
        RecipeError: it is not YAML, or a key stands twice in a mapping; all such keys are listed.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
        tree = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}" if mark else where
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise RecipeError(f"{place}: not valid YAML: {problem}") from None
    if node and (line := _inside_itself(node)):
        raise RecipeError(f"{where}:{line}: not valid YAML: a value that stands inside itself")
    if twice := list(_duplicates(node)) if node else []:
        listed = "\n".join(f"  {where}:{line}: the key '{key}' stands twice" for key, line in twice)
        raise RecipeError(f"{where} has keys that stand twice\n{listed}", hint="keep one of each")
    return Document(tree, dict(_lines(node, ())) if node else {})


def read_value(text: str) -> Any:
    """Parse one value, as after `--set key=`."""
    return yaml.load(text, Loader=_Loader)


def _inside_itself(node: yaml.Node, above: tuple[yaml.Node, ...] = ()) -> int | None:
    """The line of a value that an alias puts into itself, which nobody could read to the end."""
    if any(node is other for other in above):
        return int(node.start_mark.line) + 1
    children = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        children = [value for _, value in node.value]
    found = (_inside_itself(child, (*above, node)) for child in children)
    return next((line for line in found if line), None)


def _duplicates(node: yaml.Node) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.value, key.start_mark.line + 1
            seen.add(key.value)
            yield from _duplicates(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _duplicates(value)


def _lines(node: yaml.Node, path: Path) -> Iterator[tuple[Path, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*path, key.value), key.start_mark.line + 1
            yield from _lines(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            yield (*path, place), value.start_mark.line + 1
            yield from _lines(value, (*path, place))

"""The JSON schemas of recipes: generated files in the package, so that reading them needs no torch.

`python -m protoclip_cli.recipe.schema_file` writes them again; a test compares.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from protoclip_cli.core.errors import UsageError
from protoclip_cli.core.spec import Spec

_FOLDER = Path(__file__).parent / "schemas"


Found = dict[tuple[str, str | None], dict[str, dict[str, Any]]]
"""The schema of each kind, by the name of a part and the kind that it is a part of."""


def schema_path(command: str) -> Path:
    """The schema file of a subcommand's recipes.

    Raises:
        UsageError: it has no recipes.
    """
    path = _FOLDER / f"{command}.json"
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in _FOLDER.glob("*.json")))
        raise UsageError(f"'{command}' has no recipes", hint=f"choose from {known}")
    return path


def kinds_by_part() -> dict[str, list[str]]:
    """What can stand as `kind:`, by part of a train recipe. Read from the schema file."""
    return {part: sorted(schemas) for part, schemas in schemas_by_part().items()}


def schemas_by_part() -> dict[str, dict[str, dict[str, Any]]]:
    """The schema of each kind, by part of a train recipe and by kind. Read from the schema file."""
    schema = json.loads(schema_path("train").read_text(encoding="utf-8"))
    found: Found = {}
    _walk(schema, "", None, found, schema["$defs"])
    plain = {name: kinds for (name, owner), kinds in found.items() if owner is None}
    # What only some kinds have goes by its name too, unless something else does: `two_towers.image`.
    inner = {
        name if plain.get(name, kinds).keys() == kinds.keys() else f"{owner}.{name}": kinds
        for (name, owner), kinds in found.items()
        if owner is not None
    }
    return dict(sorted((inner | plain).items()))


def _walk(
    node: Any,
    name: str,
    owner: str | None,
    found: Found,
    definitions: dict[str, Any],
) -> None:
    """Collect each part that has kinds, by its name and the kind that it is a part of if it is."""
    if isinstance(node, list):
        for child in node:
            _walk(child, name, owner, found, definitions)
    elif isinstance(node, dict):
        options = [_resolved(option, definitions) for option in node.get("oneOf", [])]
        kinds = {kind: option for option in options if (kind := _kind(option))}
        if kinds:
            found.setdefault((name, owner), kinds)
        for key, child in node.items():
            if key in {"properties", "$defs"}:
                for part, schema in child.items():
                    _walk(schema, part, _kind(node) or owner, found, definitions)
            else:
                _walk(child, name, owner, found, definitions)


def _resolved(option: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    return dict(definitions[option["$ref"].rpartition("/")[2]]) if "$ref" in option else option


def _kind(option: dict[str, Any]) -> str | None:
    kind: str | None = option.get("properties", {}).get("kind", {}).get("const")
    return kind


def generate() -> dict[str, str]:
    """The schemas as they should be, by subcommand."""
    from protoclip_cli.recipe.evaluate import EvaluateRecipe
    from protoclip_cli.recipe.extract_teacher import ExtractTeacherRecipe
    from protoclip_cli.recipe.gather import GatherRecipe
    from protoclip_cli.recipe.train import TrainRecipe

    recipes: dict[str, type[Spec]] = {
        "train": TrainRecipe,
        "evaluate": EvaluateRecipe,
        "extract-teacher": ExtractTeacherRecipe,
        "gather": GatherRecipe,
    }
    return {
        command: json.dumps(_shared(recipe.model_json_schema()), indent=1, sort_keys=True, ensure_ascii=False)
        + "\n"
        for command, recipe in recipes.items()
    }


def _shared(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with every object once, under `$defs`: readers are part of every probe."""
    definitions: dict[str, Any] = {}
    names: dict[str, str] = {}

    def moved(node: Any) -> Any:
        if isinstance(node, list):
            return [moved(child) for child in node]
        if not isinstance(node, dict):
            return node
        node = {key: moved(child) for key, child in node.items() if key != "$defs"}
        if "properties" not in node or not isinstance(node.get("title"), str):
            return node
        text = json.dumps(node, sort_keys=True)
        if text not in names:
            alike = sum(name.rstrip("0123456789") == node["title"] for name in names.values())
            names[text] = f"{node['title']}{alike + 1 if alike else ''}"
            definitions[names[text]] = node
        return {"$ref": f"#/$defs/{names[text]}"}

    own = {name: moved(child) for name, child in schema.get("$defs", {}).items()}
    root = {key: moved(child) for key, child in schema.items() if key != "$defs"}
    # What was a definition already stays reachable under its own name.
    return {**root, "$defs": {**own, **definitions}}


if __name__ == "__main__":
    _FOLDER.mkdir(exist_ok=True)
    for command, text in generate().items():
        (_FOLDER / f"{command}.json").write_text(text, encoding="utf-8")

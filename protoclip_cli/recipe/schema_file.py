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
    found: dict[str, list[str]] = {}
    _walk(json.loads(schema_path("train").read_text(encoding="utf-8")), "", found)
    return dict(sorted(found.items()))


def _walk(node: Any, name: str, found: dict[str, list[str]]) -> None:
    if isinstance(node, list):
        for child in node:
            _walk(child, name, found)
    elif isinstance(node, dict):
        kinds = [kind for option in node.get("oneOf", []) if (kind := _kind(option))]
        if kinds:
            found.setdefault(name, sorted(kinds))
        for key, child in node.items():
            if key in {"properties", "$defs"}:
                for part, schema in child.items():
                    _walk(schema, part, found)
            else:
                _walk(child, name, found)


def _kind(option: Any) -> str | None:
    kind = option.get("properties", {}).get("kind", {}) if isinstance(option, dict) else {}
    return kind.get("const")


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
        command: json.dumps(recipe.model_json_schema(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        for command, recipe in recipes.items()
    }


if __name__ == "__main__":
    _FOLDER.mkdir(exist_ok=True)
    for command, text in generate().items():
        (_FOLDER / f"{command}.json").write_text(text, encoding="utf-8")

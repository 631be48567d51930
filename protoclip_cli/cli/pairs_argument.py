"""Pairs on a command line: a table, `{kind: ...}`, a file with that, or a train recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protoclip_cli.core.errors import RecipeError, UsageError

_TABLES = {".csv", ".tsv", ".txt"}


def pairs_of(argument: str) -> dict[str, Any]:
    """The pairs an argument means, as a recipe writes them.

    Args:
        argument: a table's path; `{kind: glyphs}` or just `glyphs`; or a recipe (a file or a shipped name).

    Raises:
        UsageError: none of these.

    >>> pairs_of("{kind: glyphs, limit: 10}")
    {'kind': 'glyphs', 'limit': 10}
    """
    import yaml

    from protoclip_cli.data.pairs import PAIRS
    from protoclip_cli.recipe.shipped import find_recipe

    if argument.lstrip().startswith("{"):
        try:
            found = yaml.safe_load(argument)
        except yaml.YAMLError:
            raise UsageError(f"'{argument}' is not YAML", hint="write for example '{kind: glyphs}'") from None
        return dict(found)
    path = Path(argument)
    if path.suffix in {".yaml", ".yml"} or (not path.exists() and not path.suffix and "/" not in argument):
        if argument in PAIRS.kinds():
            return {"kind": argument}
        try:
            content = yaml.safe_load(find_recipe(argument).read_text(encoding="utf-8"))
        except RecipeError as error:
            raise UsageError(str(error), hint="give a table, `{kind: ...}`, or a recipe") from None
        found = content.get("pairs", content) if isinstance(content, dict) else None
        if not isinstance(found, dict):
            raise UsageError(f"{argument} names no pairs", hint="it needs a key `pairs`")
        return found
    if path.suffix not in _TABLES and not path.is_file():
        raise UsageError(f"there is no table {argument}", hint="give a table, `{kind: ...}`, or a recipe")
    return {"kind": "csv", "path": argument}

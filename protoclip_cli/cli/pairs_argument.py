"""Pairs on a command line: a table, folder or tar, `{kind: ...}`, a file with that, or a train recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from protoclip_cli.core.errors import RecipeError, UsageError

_RECIPES = {".yaml", ".yml"}


def pairs_of(argument: str) -> dict[str, Any]:
    """The pairs an argument means, as a recipe writes them.

    Args:
        argument: the path of a table, of a folder of images and texts, or of tar shards; `{kind: glyphs}` or
            just `glyphs`; or a recipe (a file or a shipped name).

    Raises:
        UsageError: none of these.

    >>> pairs_of("{kind: glyphs, limit: 10}")
    {'kind': 'glyphs', 'limit': 10}
    >>> pairs_of("shards/{000..012}.tar")
    {'kind': 'tar', 'path': 'shards/{000..012}.tar'}
    """
    import yaml

    from protoclip_cli.data.pairs import PAIRS
    from protoclip_cli.recipe.shipped import find_recipe

    if argument.lstrip().startswith("{"):
        try:
            return dict(yaml.safe_load(argument))
        except yaml.YAMLError:
            raise UsageError(f"'{argument}' is not YAML", hint="write for example '{kind: glyphs}'") from None
    path = Path(argument)
    kind = "tar" if path.suffix == ".tar" else "folder" if path.is_dir() else "csv"
    files = {"kind": kind, "path": argument}
    if path.suffix not in _RECIPES and (path.exists() or kind == "tar"):
        return files
    if argument in PAIRS.kinds():
        return {"kind": argument}
    try:
        return _pairs_in(find_recipe(argument))
    except RecipeError as error:
        if path.suffix and path.suffix not in _RECIPES:
            return files  # opening it says what is wrong
        raise UsageError(
            str(error), hint="give a table, a folder, a tar, `{kind: ...}`, or a recipe"
        ) from None


def _pairs_in(recipe: Path) -> dict[str, Any]:
    """The pairs of a recipe, or of a file that holds nothing else."""
    from protoclip_cli.recipe.load import read_values

    content = read_values(recipe)
    found = content.get("pairs", content)
    if not isinstance(found, dict) or "kind" not in found:
        raise UsageError(f"{recipe} names no pairs", hint="it needs a key `pairs` with a `kind`")
    return found

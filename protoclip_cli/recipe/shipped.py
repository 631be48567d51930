"""Recipes that come with protoclip."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from protoclip_cli.core.errors import RecipeError

_PACKAGE = Path(__file__).parents[1]


def shipped_folder() -> Path:
    """Where shipped recipes are: inside an installed package, beside it in a checkout."""
    inside = _PACKAGE / "_recipes"
    return inside if inside.is_dir() else _PACKAGE.parent / "recipes"


def shipped() -> dict[str, Path]:
    """Recipes by name, such as `train/quickstart`."""
    folder = shipped_folder()
    paths = sorted(folder.rglob("*.yaml"))
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in paths}


def find_recipe(name: str) -> Path:
    """The file of a recipe: a path, or the name of a shipped one.

    Args:
        name: a path; or `train/quickstart`, `quickstart`, with or without `recipes/` and `.yaml`.

    Raises:
        RecipeError: neither.
    """
    if Path(name).is_file():
        return Path(name)
    short = name.removeprefix("recipes/").removesuffix(".yaml").removesuffix(".yml")
    known = shipped()
    found = [path for key, path in known.items() if short in {key, key.rpartition("/")[2]}]
    if len(found) == 1:
        return found[0]
    close = get_close_matches(short, [*known, *(key.rpartition("/")[2] for key in known)], n=1)
    advice = f"did you mean '{close[0]}'? " if close else ""
    raise RecipeError(
        f"there is no file {name} and no shipped recipe of that name",
        hint=f"{advice}`protoclip recipes ls` lists the shipped ones",
    )


def summary(path: Path) -> str:
    """The first comment line of a recipe: what it is."""
    with path.open(encoding="utf-8") as file:
        first = file.readline()
    return first.lstrip("# ").strip() if first.startswith("#") else ""

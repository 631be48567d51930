"""`protoclip recipes`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from protoclip_cli.cli.ending import clean_end, tell
from protoclip_cli.cli.options import Debug, Json, Set
from protoclip_cli.core.errors import UsageError

if TYPE_CHECKING:
    from protoclip_cli.core.spec import Spec

recipes = typer.Typer(no_args_is_help=True, help="List, show, copy and check recipes.")

Name = Annotated[str, typer.Argument(help="A recipe: a file, or the name of a shipped one.")]


@recipes.command()
def ls(json_: Json = False, debug: Debug = False) -> None:
    """List the shipped recipes.

    Example: `protoclip recipes ls`
    """
    with clean_end(debug=debug):
        from protoclip_cli.recipe.shipped import shipped, summary

        found = {name: summary(path) for name, path in shipped().items()}
        width = max(map(len, found), default=0)
        lines = (f"{name:<{width}}  {text}" for name, text in found.items())
        typer.echo(json.dumps(found, indent=2) if json_ else "\n".join(lines))


@recipes.command()
def cat(name: Name, debug: Debug = False) -> None:
    """Print a recipe.

    Example: `protoclip recipes cat quickstart`
    """
    with clean_end(debug=debug):
        from protoclip_cli.recipe.shipped import find_recipe

        typer.echo(find_recipe(name).read_text(encoding="utf-8"), nl=False)


@recipes.command()
def cp(
    name: Name,
    to: Annotated[Path, typer.Argument(help="Where to: a file, or a folder.")] = Path(),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    debug: Debug = False,
) -> None:
    """Copy a recipe, to change it.

    Example: `protoclip recipes cp quickstart mine.yaml`
    """
    with clean_end(debug=debug):
        from protoclip_cli.recipe.shipped import find_recipe

        source = find_recipe(name)
        target = to / source.name if to.is_dir() else to
        if target.exists() and not overwrite:
            raise UsageError(f"{target} is there already", hint="choose another name, or add --overwrite")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        typer.echo(str(target))


@recipes.command()
def validate(name: Name, set_: Set = None, debug: Debug = False) -> None:
    """Check a recipe without running it, and list all its mistakes.

    Example: `protoclip recipes validate mine.yaml`
    """
    with clean_end(debug=debug):
        from protoclip_cli.recipe.load import load_recipe
        from protoclip_cli.recipe.shipped import find_recipe

        path = find_recipe(name)
        load_recipe(path, _schema_for(path), set_ or [])
        tell(f"{path} is a valid recipe")


@recipes.command()
def schema(
    command: Annotated[str, typer.Argument(help="Whose recipes: train or evaluate.")] = "train",
    debug: Debug = False,
) -> None:
    """Print the JSON schema of recipes, for editors.

    Example: `protoclip recipes schema > protoclip.schema.json`
    """
    with clean_end(debug=debug):
        from protoclip_cli.recipe.schema_file import schema_path

        typer.echo(schema_path(command).read_text(encoding="utf-8"), nl=False)


@recipes.command()
def kinds(
    part: Annotated[
        str | None, typer.Argument(help="A part of recipes, such as objectives. Default: all, names only.")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a part's reference as a Markdown table.")
    ] = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """List what can stand as `kind:` in each part of a recipe; of one part, say what each is and takes.

    Example: `protoclip recipes kinds objectives`, or `protoclip recipes kinds heads --markdown`
    """
    with clean_end(debug=debug):
        if part is None:
            if markdown:
                raise UsageError("--markdown needs a part", hint="for example `recipes kinds objectives`")
            typer.echo(_names(json_))
            return
        from protoclip_cli.recipe.reference import reference
        from protoclip_cli.recipe.reference_text import as_blocks, as_markdown

        found = reference(part)
        if json_:
            typer.echo(json.dumps([kind.values() for kind in found], indent=2))
        else:
            typer.echo(as_markdown(found) if markdown else as_blocks(found))


def _names(json_: bool) -> str:
    from protoclip_cli.recipe.schema_file import kinds_by_part

    found = kinds_by_part()
    lines = (f"{name}: {', '.join(values)}" for name, values in found.items())
    return json.dumps(found, indent=2) if json_ else "\n".join(lines)


def _schema_for(path: Path) -> type[Spec]:
    """The type of a recipe: one with objectives trains, one with tasks alone evaluates, and so on."""
    from protoclip_cli.recipe.evaluate import EvaluateRecipe
    from protoclip_cli.recipe.extract_teacher import ExtractTeacherRecipe
    from protoclip_cli.recipe.gather import GatherRecipe
    from protoclip_cli.recipe.train import TrainRecipe
    from protoclip_cli.recipe.yaml_file import read_yaml

    try:
        tree = read_yaml(path.read_text(encoding="utf-8"), str(path)).tree
    except UnicodeDecodeError:
        return TrainRecipe  # loading it says what is wrong
    if not isinstance(tree, dict) or "objectives" in tree:
        return TrainRecipe
    if "lists" in tree:
        return GatherRecipe
    if "tasks" in tree:
        return EvaluateRecipe
    return ExtractTeacherRecipe if "teacher" in tree else TrainRecipe

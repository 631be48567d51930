"""`protoclip evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from protoclip_cli.cli.ending import clean_end
from protoclip_cli.cli.options import Debug, Json, Quiet, Set, Verbose
from protoclip_cli.core.errors import UsageError

if TYPE_CHECKING:
    from protoclip_cli.recipe.evaluate import EvaluateRecipe


def evaluate(
    ckpt: Annotated[
        str, typer.Option(help="A run, a checkpoint, or a folder open_clip can load.", metavar="PATH")
    ],
    tasks: Annotated[
        str | None,
        typer.Option(
            help="Probes, separated by commas, or a recipe. Default: all probes.", metavar="NAMES|RECIPE"
        ),
    ] = None,
    benchmarks: Annotated[
        str | None,
        typer.Option(help="Shipped benchmarks, separated by commas. Default: those of each probe."),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Your own: a folder of images by class, or a table of pairs. Repeatable."),
    ] = None,
    set_: Set = None,
    batch: Annotated[int, typer.Option(min=1, help="Rows encoded at a time.")] = 256,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of what is left to chance.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Evaluate a trained model with every probe that fits a benchmark.

    Scores of a run's checkpoint are also written to the run.

    Example: `protoclip evaluate --ckpt runs/quickstart --tasks zero_shot,retrieval --data my_photos/`
    """
    with clean_end(debug=debug):
        from protoclip_cli.cli.screen import Screen, print_result
        from protoclip_cli.workflows.evaluate import evaluate as run_evaluation

        recipe = _recipe(tasks, _chosen(benchmarks, data), set_ or [])
        with Screen(quiet=quiet, verbose=verbose) as screen:
            scores = run_evaluation(
                ckpt, recipe.tasks, seed=recipe.seed if seed is None else seed, batch=batch, reporter=screen
            )
        rows = [score.row() for score in scores]
        from protoclip_cli.compute.processes import is_main

        if is_main():
            screen.table(rows)
            print_result(json.dumps({"ckpt": ckpt, "scores": rows}) if json_ else str(ckpt))


def _chosen(benchmarks: str | None, data: list[Path] | None) -> list[Any] | None:
    """Benchmarks as a recipe writes them, or None to leave the choice to the probes."""
    if benchmarks is None and not data:
        return None
    named = [name.strip() for name in (benchmarks or "").split(",") if name.strip()]
    own = [{"kind": "folder" if path.is_dir() else "table", "path": str(path)} for path in data or []]
    return [*named, *own]


def _recipe(tasks: str | None, benchmarks: list[Any] | None, overrides: list[str]) -> EvaluateRecipe:
    from pydantic import ValidationError

    from protoclip_cli.evaluation.probes import PROBES, usual
    from protoclip_cli.recipe.evaluate import EvaluateRecipe
    from protoclip_cli.recipe.load import load_recipe
    from protoclip_cli.recipe.shipped import find_recipe

    if tasks is not None and (Path(tasks).suffix in {".yaml", ".yml"} or "/" in tasks):
        if benchmarks is not None:
            raise UsageError(
                "a recipe of tasks names its benchmarks", hint="leave --benchmarks and --data out"
            )
        return load_recipe(find_recipe(tasks), EvaluateRecipe, overrides)
    if overrides:
        raise UsageError("--set changes a recipe, and --tasks names none", hint="use --tasks RECIPE.yaml")
    kinds = usual() if tasks is None else [kind.strip() for kind in tasks.split(",") if kind.strip()]
    try:
        return EvaluateRecipe.model_validate({"tasks": {kind: {"benchmarks": benchmarks} for kind in kinds}})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise UsageError(first, hint=f"probes: {', '.join(PROBES.kinds())}") from None

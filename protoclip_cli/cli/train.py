"""`protoclip train`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from protoclip_cli.cli.ending import clean_end
from protoclip_cli.cli.options import Debug, Json, Quiet, Set, Verbose
from protoclip_cli.core.errors import UsageError


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe: a file, or the name of a shipped one.")],
    set_: Set = None,
    init: Annotated[
        Path | None,
        typer.Option(
            help="Start from these weights: a file of open_clip, OpenAI or ProtoCLIP, a run or an exported "
            "folder. Short for --set model.pretrained=PATH.",
            metavar="PATH",
        ),
    ] = None,
    run: Annotated[Path | None, typer.Option(help="The run folder. Default: runs/NAME.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run in the folder, or start if there is none.")
    ] = False,
    allow_recipe_change: Annotated[
        bool,
        typer.Option("--allow-recipe-change", help="Continue although the recipe differs from the run's."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan: pairs, steps, memory, disk. Write nothing.")
    ] = False,
    nproc: Annotated[
        str | None,
        typer.Option(
            help="Processes to start on this machine: a number, or `auto` for one per GPU.", metavar="N"
        ),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Train a model from a recipe, evaluate it, and keep everything in a run folder.

    Stops cleanly on Ctrl-C and on SIGTERM, and continues exactly with --resume.

    Example: `protoclip train quickstart`, or `protoclip train my.yaml --set optimizer.lr=1e-3 --nproc 8`
    """
    with clean_end(debug=debug):
        overrides = [*(set_ or []), *_start(init)]
        if nproc is not None and not dry_run:
            from protoclip_cli.compute.launch import launch

            before = time.time()
            raise typer.Exit(launch(nproc, lambda: _written_exit(recipe, overrides, run, before)))

        from protoclip_cli.cli.screen import Screen, print_result
        from protoclip_cli.recipe.load import load_recipe
        from protoclip_cli.recipe.shipped import find_recipe
        from protoclip_cli.recipe.train import TrainRecipe

        loaded = load_recipe(find_recipe(recipe), TrainRecipe, overrides)
        with Screen(quiet=quiet, verbose=verbose) as screen:
            if dry_run:
                from protoclip_cli.workflows.plan_training import plan_training

                plan = plan_training(loaded, screen)
                print_result(json.dumps(plan.values(), indent=2) if json_ else plan.text())
                return
            from protoclip_cli.workflows.train import train as run_training

            report = run_training(
                loaded, run=run, resume=resume, allow_recipe_change=allow_recipe_change, reporter=screen
            )
        rows = [score.row() for score in report.scores]
        from protoclip_cli.compute.processes import is_main

        if is_main():
            screen.table(rows)
            document = {"run": str(report.run), "step": report.step, "scores": rows}
            print_result(json.dumps(document) if json_ else str(report.run))


def _start(init: Path | None) -> list[str]:
    """The override that `--init` is short for."""
    if init is None:
        return []
    if not init.exists():
        raise UsageError(
            f"there is no file or folder {init}", hint="--init takes weights, a run or an export"
        )
    return [f"model.pretrained={json.dumps(str(init.resolve()), ensure_ascii=False)}"]


def _written_exit(recipe: str, overrides: list[str], run: Path | None, since: float) -> int | None:
    """The exit code a run wrote down since a time, unless that was success: launchers swallow it."""
    from protoclip_cli.recipe.load import load_recipe
    from protoclip_cli.recipe.shipped import find_recipe
    from protoclip_cli.recipe.train import TrainRecipe
    from protoclip_cli.store.run import RunFolder, safe_name

    if run is None:
        run = Path("runs") / safe_name(load_recipe(find_recipe(recipe), TrainRecipe, overrides).name)
    status = RunFolder(run).status
    written = status.is_file() and status.stat().st_mtime >= since
    return RunFolder(run).read_status().get("exit") or None if written else None

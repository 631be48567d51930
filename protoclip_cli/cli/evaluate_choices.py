"""What the options of `protoclip evaluate` choose: models, and tasks with their benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from protoclip_cli.core.errors import RecipeError, UsageError
from protoclip_cli.data.benchmarks import groups, names
from protoclip_cli.evaluation.probes import PROBES, usual
from protoclip_cli.evaluation.subjects import Wanted
from protoclip_cli.evaluation.subjects.base import Weights
from protoclip_cli.recipe.evaluate import EvaluateRecipe
from protoclip_cli.recipe.groups import benchmarks_of, is_group, task_lists
from protoclip_cli.recipe.load import load_recipe, load_values
from protoclip_cli.recipe.shipped import find_recipe


def chosen_models(
    ckpt: Sequence[str] | None, episode: int | None, model: str | None, pretrained: str | None
) -> list[Wanted]:
    """The models to compare.

    `--model` names a model of its own with `--pretrained`, or where no `--ckpt` is a file; else it says what
    the files are of.

    Raises:
        UsageError: none is named, or one twice.
    """
    paths = list(ckpt or ())
    if pretrained is not None and model is None:
        raise UsageError(f"--pretrained {pretrained} are weights of no model", hint="add --model NAME")
    files = [path for path in paths if Path(path).is_file()]
    own = model is not None and (pretrained is not None or not files)
    wanted = [
        Wanted(path, model=None if own else model) if path in files else Wanted(path, episode=episode)
        for path in paths
    ]
    if own:
        wanted.append(Wanted(model=model, pretrained=pretrained))
    if not wanted:
        raise UsageError(
            "no model is named", hint="use --ckpt PATH, or --model NAME --pretrained TAG; see --list-models"
        )
    names = [one.name for one in wanted]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"{twice.pop()} is named twice", hint="name each model once")
    return wanted


def with_weights(wanted: Sequence[Wanted], weights: Weights) -> list[Wanted]:
    """The models with the last weights of their runs, or with the average of them.

    Raises:
        UsageError: a model is of no run.
    """
    if weights == "average" and (others := [one.name for one in wanted if one.path is None]):
        raise UsageError(f"{others[0]} has no average of weights", hint="only runs have; leave --weights out")
    return [replace(one, weights=weights) for one in wanted]


def with_between(wanted: Sequence[Wanted], before: str, alphas: str) -> list[Wanted]:
    """A fine-tuned model, as models on the way to it.

    Args:
        wanted: that one model.
        before: the path of the model it was fine-tuned from.
        alphas: how far to go, separated by commas.

    Raises:
        UsageError: there are several models, or an alpha is not between 0 and 1.
    """
    if len(wanted) != 1 or wanted[0].path is None:
        raise UsageError("--wise-ft goes with one --ckpt, the fine-tuned model", hint="name that one only")
    try:
        numbers = [float(number) for number in alphas.split(",")]
    except ValueError:
        numbers = []
    if not numbers or not all(0 <= number <= 1 for number in numbers):
        raise UsageError(f"--alphas {alphas}: these are not numbers from 0 to 1", hint="such as 0,0.5,1")
    return [replace(wanted[0], before=before, alpha=number) for number in dict.fromkeys(numbers)]


def one_run(run: Path, ckpt: Sequence[str] | None, model: str | None) -> Path:
    """The run to watch, by path or by its name below `runs`.

    Raises:
        UsageError: other models are named besides.
    """
    if ckpt or model:
        raise UsageError("--watch evaluates the checkpoints of one run", hint="leave --ckpt and --model out")
    return run if run.exists() or not (Path("runs") / run).is_dir() else Path("runs") / run


def chosen_tasks(
    tasks: str | None,
    benchmarks: str | None,
    data: Sequence[Path] | None,
    overrides: Sequence[str] | None,
    feature: str | None,
) -> EvaluateRecipe:
    """What to run on what.

    Raises:
        RecipeError: a recipe is not what it should be.
        UsageError: options contradict each other, or name no probe or benchmark.
    """
    refs = _benchmarks(benchmarks, data)
    if tasks is not None and (Path(tasks).suffix in {".yaml", ".yml"} or "/" in tasks):
        if refs is not None:
            raise UsageError(
                "a recipe of tasks names its benchmarks", hint="leave --benchmarks and --data out"
            )
        return _with_feature(load_recipe(find_recipe(tasks), EvaluateRecipe, overrides or ()), feature)
    names = usual() if tasks is None else [name.strip() for name in tasks.split(",") if name.strip()]
    lists = [name for name in names if name not in PROBES.kinds()]
    if unknown := [name for name in lists if name not in task_lists()]:
        close = get_close_matches(unknown[0], [*PROBES.kinds(), *task_lists()], n=1)
        nearest = f"did you mean '{close[0]}'? " if close else ""
        raise UsageError(
            f"there is no probe or list of tasks '{unknown[0]}'",
            hint=nearest + f"probes: {', '.join(PROBES.kinds())}; lists: {', '.join(task_lists())}",
        )
    if lists and refs is not None:
        raise UsageError(f"{lists[0]} names its benchmarks", hint="leave --benchmarks and --data out")
    if overrides and not lists:
        raise UsageError("--set changes a recipe, and --tasks names none", hint="use --tasks RECIPE.yaml")
    listed: Any = names if lists else {name: {"benchmarks": refs} for name in names}
    try:
        return _with_feature(load_values({"tasks": listed}, EvaluateRecipe, overrides or ()), feature)
    except RecipeError as error:
        raise UsageError(str(error).partition("\n  ")[2] or str(error)) from None


def _benchmarks(named: str | None, data: Sequence[Path] | None) -> list[Any] | None:
    """Benchmarks as a recipe writes them, or None to leave the choice to the probes."""
    if named is None and not data:
        return None
    refs: list[Any] = []
    for name in filter(None, map(str.strip, (named or "").split(","))):
        if not is_group(name) and name not in names():
            close = get_close_matches(name, [*names(), *groups()], n=1)
            advice = f"did you mean '{close[0]}'?" if close else "see --list-benchmarks"
            raise UsageError(f"there is no benchmark or group '{name}'", hint=advice)
        refs += benchmarks_of(name) if is_group(name) else [name]
    own = [{"kind": "folder" if path.is_dir() else "table", "path": str(path)} for path in data or []]
    return [*refs, *own]


def _with_feature(recipe: EvaluateRecipe, feature: str | None) -> EvaluateRecipe:
    """The recipe with probes that work on these features, where they have the choice."""
    if feature is None:
        return recipe
    chosen = {
        name: probe.model_copy(update={"features": feature} if "features" in type(probe).model_fields else {})
        for name, probe in recipe.tasks.items()
    }
    return recipe.model_copy(update={"tasks": chosen})

"""`protoclip evaluate`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from protoclip_cli.cli.ending import clean_end
from protoclip_cli.cli.options import Debug, Json, Quiet, Set, Verbose


class Precision(StrEnum):
    """In which type models compute."""

    fp32 = "fp32"
    bf16 = "bf16"


class Weights(StrEnum):
    """Which weights of a run are judged."""

    last = "last"
    average = "average"


class Feature(StrEnum):
    """Which features of images are judged."""

    embedding = "embedding"
    backbone = "backbone"


def evaluate(
    ckpt: Annotated[
        list[str] | None,
        typer.Option(
            "--ckpt",
            "--run",
            help="A run, a checkpoint, a folder open_clip can load, or a file of weights. Repeatable.",
            metavar="PATH",
        ),
    ] = None,
    episode: Annotated[
        int | None, typer.Option(min=0, help="Of a run: the checkpoint of this episode. Default: the last.")
    ] = None,
    weights: Annotated[
        Weights | None,
        typer.Option(help="Of runs: the last weights, or their average. Default: as tasks say, else last."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="A model of open_clip, timm:NAME or torchvision:NAME; or what a file of --ckpt is of.",
            metavar="NAME",
        ),
    ] = None,
    pretrained: Annotated[
        str | None, typer.Option(help="The weights of --model.", metavar="TAG|FILE")
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            help="Probes, or lists of tasks (protoclip, itra, clip-rocket, elevater, clip-benchmark), parted "
            "by commas; or a recipe. Default: all probes.",
            metavar="NAMES|RECIPE",
        ),
    ] = None,
    benchmarks: Annotated[
        str | None,
        typer.Option(help="Benchmarks or groups of them, separated by commas. Default: those of each probe."),
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Your own: a folder of images by class, or a table of pairs. Repeatable."),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="Where the data sets of benchmarks are.", metavar="DIR")
    ] = None,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="A benchmark whose data is missing is no error (exit 4).")
    ] = False,
    feature: Annotated[
        Feature | None,
        typer.Option(help="What probes of images alone work on. Default: as tasks say."),
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="In which type models compute; scores record it.")
    ] = Precision.fp32,
    set_: Set = None,
    batch: Annotated[int, typer.Option(min=1, help="Rows encoded at a time.")] = 256,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of what is left to chance.")] = None,
    cache_gb: Annotated[
        float, typer.Option(min=0, help="Room for features on disk; what was used longest ago goes first.")
    ] = 10,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither use nor keep features on disk.")
    ] = False,
    wise_ft: Annotated[
        str | None,
        typer.Option(
            "--wise-ft",
            help="Also evaluate weights between this model and the fine-tuned --ckpt.",
            metavar="PATH",
        ),
    ] = None,
    alphas: Annotated[
        str, typer.Option(help="With --wise-ft: how far to go, 0 to 1.", metavar="NUMBERS")
    ] = "0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1",
    robustness: Annotated[
        Path | None,
        typer.Option(help="Accuracies of reference models, for effective robustness.", metavar="CSV"),
    ] = None,
    submission: Annotated[
        Path | None,
        typer.Option(help="Also write predictions for ELEVATER's leaderboard.", metavar="DIR"),
    ] = None,
    watch: Annotated[
        Path | None,
        typer.Option(help="Evaluate the checkpoints of a run as they appear, until it ends.", metavar="RUN"),
    ] = None,
    list_models: Annotated[
        bool, typer.Option("--list-models", help="Show open_clip's models and their weights, and exit.")
    ] = False,
    list_benchmarks: Annotated[
        bool, typer.Option("--list-benchmarks", help="Show benchmarks, and exit.")
    ] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Evaluate trained models with every probe that fits a benchmark.

    Scores of a run's checkpoint are also written to the run. Features are kept on disk and used again.

    Example: `protoclip evaluate --ckpt runs/quickstart --tasks zero_shot,retrieval --data my_photos/`

    Example: `protoclip evaluate --ckpt runs/mine --model RN50 --pretrained openai --tasks protoclip`
    """
    with clean_end(debug=debug):
        if list_models or list_benchmarks:
            from protoclip_cli.cli.evaluate_lists import show_benchmarks, show_models

            if list_models:
                show_models(as_json=json_)
            else:
                show_benchmarks(data_root, as_json=json_)
            return
        from protoclip_cli.cli.evaluate_choices import (
            chosen_models,
            chosen_tasks,
            one_run,
            with_between,
            with_weights,
        )
        from protoclip_cli.cli.evaluate_result import show_result
        from protoclip_cli.cli.screen import Screen
        from protoclip_cli.core.errors import UsageError
        from protoclip_cli.workflows.evaluate import compare
        from protoclip_cli.workflows.evaluator import EvaluateSettings
        from protoclip_cli.workflows.submission import submit
        from protoclip_cli.workflows.watch import watch as watch_run

        recipe = chosen_tasks(tasks, benchmarks, data, set_, None if feature is None else feature.value)
        settings = EvaluateSettings(
            seed=recipe.seed if seed is None else seed,
            batch=batch,
            precision=precision.value,
            data_root=data_root,
            cache_bytes=0 if no_cache else int(cache_gb * 2**30),
        )
        with Screen(quiet=quiet, verbose=verbose) as screen:
            if watch is not None:
                if weights is not None:
                    raise UsageError("--watch evaluates the last weights", hint="leave --weights out")
                done = watch_run(one_run(watch, ckpt, model), recipe.tasks, settings, screen)
            else:
                chosen = recipe.weights if weights is None else weights.value
                wanted = with_weights(chosen_models(ckpt, episode, model, pretrained), chosen)
                if wise_ft is not None:
                    wanted = with_between(wanted, wise_ft, alphas)
                done = compare(wanted, recipe.tasks, settings, screen, references=robustness)
                if submission is not None:
                    for path in submit(wanted[-1], recipe.tasks.values(), settings, submission, screen):
                        screen.note(f"to submit: {path}")
        show_result(done, screen, as_json=json_, skip_missing=skip_missing)

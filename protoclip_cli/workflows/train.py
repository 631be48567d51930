"""`protoclip train`: from a recipe to a trained and evaluated model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from protoclip_cli.compute.device import start
from protoclip_cli.compute.processes import is_main, rank, wait_for_all, world
from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.core.reporter import Reporter, Silent
from protoclip_cli.core.types import Modality
from protoclip_cli.data.slow_reads import tell_slow_reads
from protoclip_cli.evaluation.score import Score
from protoclip_cli.optimization.groups import group_parameters
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.store.checkpoints import Checkpoint
from protoclip_cli.store.run import RunFolder, safe_name
from protoclip_cli.training.bad_images import BadImages
from protoclip_cli.training.episodes import Plan
from protoclip_cli.training.followers import MomentumCopy
from protoclip_cli.training.frozen import FrozenModel
from protoclip_cli.training.guidance import Guidance, TeacherRows
from protoclip_cli.training.journal import Journal
from protoclip_cli.training.learner import Learner
from protoclip_cli.training.loop import Loop
from protoclip_cli.training.odd_texts import OddTextCount
from protoclip_cli.training.parts import Accumulation
from protoclip_cli.training.saving import Progress, Saver
from protoclip_cli.training.step import Stepper
from protoclip_cli.workflows.after_episode import AfterEpisode
from protoclip_cli.workflows.building import (
    build_learner,
    build_towers,
    check_processes,
    image_parameters,
    make_plan,
    open_pairs,
    rate_scales,
    tokenize_pairs,
)
from protoclip_cli.workflows.feeding import build_clusterer, build_feed, open_bank
from protoclip_cli.workflows.guides import build_followers, build_frozen
from protoclip_cli.workflows.rank_log import RankLog
from protoclip_cli.workflows.run_start import (
    begin,
    check_data,
    command_line,
    data_of,
    snapshot_code,
    write_origin,
)
from protoclip_cli.workflows.scores_of_run import read_final_scores


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What a run made."""

    run: Path
    step: int
    scores: tuple[Score, ...]
    """Of the last evaluation."""


def train(
    recipe: TrainRecipe,
    *,
    run: Path | None = None,
    resume: bool = False,
    allow_recipe_change: bool = False,
    reporter: Reporter | None = None,
    argv: Sequence[str] | None = None,
) -> TrainReport:
    """Train a model.

    Args:
        recipe: what to train, see `recipe.load.load_recipe`.
        run: the run folder. None: runs/NAME under the current directory.
        resume: continue the run in the folder, or start one if there is none.
        allow_recipe_change: continue although the recipe differs from the run's.
        reporter: who is told what happens. None: nobody.
        argv: the command line, for `run.json`.

    Raises:
        ProtoclipError: its subclasses say what is wrong and how a command ends.
    """
    folder = RunFolder(run or Path("runs") / safe_name(recipe.name))
    accelerator = start(recipe.compute, recipe.trackers, folder.path)
    everyone = reporter or Silent()
    reporter = reporter if reporter is not None and is_main() else Silent()
    check_processes(recipe, world())
    checkpoint = begin(folder, recipe, resume=resume, allow_change=allow_recipe_change, note=reporter.warn)
    reporter = RankLog(folder.path / "logs" / f"rank_{rank()}.log", reporter)
    # What only one process knows and all wait for, that one must say itself.
    alarm = RankLog(reporter.path, everyone).warn
    try:
        if resume and folder.read_status().get("state") == "finished":
            reporter.note(f"{folder.path} is finished; nothing to do")
        else:
            _train(recipe, folder, checkpoint, accelerator, reporter, alarm, argv or command_line())
    except BaseException as error:
        RankLog(reporter.path, Silent()).warn(f"ended by {type(error).__name__}: {error}")
        _write_end(folder, error)
        raise
    _write_end(folder, None)
    return TrainReport(folder.path, int(folder.read_status().get("step", 0)), read_final_scores(folder))


def _train(
    recipe: TrainRecipe,
    folder: RunFolder,
    checkpoint: Checkpoint | None,
    accelerator: Any,
    reporter: Reporter,
    alarm: Callable[[str], None],
    argv: Sequence[str],
) -> None:
    """Build everything, go to where the run was, and train on."""
    source = open_pairs(recipe.pairs, reporter, "pairs")
    plan = make_plan(recipe, source)
    towers = build_towers(recipe, reporter)
    tokens = tokenize_pairs(source, towers, reporter)
    bank = open_bank(recipe, source, folder, accelerator.device, reporter)
    frozen = build_frozen(recipe, source.captions, tokens, accelerator.device, reporter.note)
    learner = build_learner(
        recipe,
        towers,
        tokens,
        None if bank is None else bank.dim,
        None if frozen is None else frozen.width,
        classes=source.classes,
    ).to(accelerator.device)
    learner.followers = build_followers(recipe, learner.model)
    stepper = _stepper(recipe, learner, accelerator)
    frozen_hash = None if frozen is None else frozen.tensors_hash
    saver = Saver(folder.checkpoints, recipe.checkpoints, plan.episodes, plan.steps_per_episode, frozen_hash)
    progress = Progress() if checkpoint is None else saver.restore(checkpoint, learner, stepper)
    feed = build_feed(recipe, plan, source, tokens, towers, accelerator.device, reporter)
    if is_main():
        data = data_of(recipe, source.fingerprint)
        check_data(folder, data, reporter.warn)
        folder.cut_back(progress.step, evaluated=progress.phase != "evaluate")
        write_origin(folder, argv, data, str(accelerator.device))
        if recipe.snapshot_code:
            snapshot_code(folder)
    wait_for_all()
    _announce(reporter, plan, progress, accelerator.device, recipe.batch.contrasted)
    bad_images = BadImages(folder, recipe.pairs.max_bad_fraction, accelerator.device)
    bad_images.read, bad_images.bad = progress.images_read, progress.images_bad
    contrastive = tuple(name for name, spec in recipe.objectives.items() if spec.kind == "info_nce")
    loop = Loop(
        plan=plan,
        learner=_made_fast(recipe, learner),
        stepper=stepper,
        objectives=recipe.typed_objectives,
        towers={side: recipe.tower(side) for side in Modality},
        optimizer_spec=recipe.optimizer,
        schedule=recipe.schedule,
        feed=feed,
        clusterer=build_clusterer(recipe, plan, learner, saver.boards, accelerator),
        guidance=_guidance(bank, learner, frozen),
        device=accelerator.device,
        folder=folder,
        saver=saver,
        journal=Journal(
            folder, plan.batch, recipe.batch.contrasted, recipe.compute.precision == "fp16", contrastive
        ),
        bad_images=bad_images,
        odd_texts=OddTextCount(folder, reporter, accelerator.device),
        reporter=reporter,
        progress=progress,
        track=_tracking(recipe, accelerator),
        after_episode=AfterEpisode(recipe, folder, learner, accelerator.device, reporter),
    )
    with tell_slow_reads(feed.reader.source, alarm):
        loop.run()
    accelerator.end_training()


def _stepper(recipe: TrainRecipe, learner: Learner, accelerator: Any) -> Stepper:
    groups = group_parameters(
        learner.named_parameters(),
        image_parameters(learner.model),
        recipe.optimizer.decay_rule,
        rate_scales(recipe, learner.model),
    )
    half = recipe.compute.precision != "fp32"
    return Stepper(
        learner,
        recipe.optimizer.build(groups),
        seed=recipe.seed,
        accumulation=Accumulation(recipe.batch.accumulate, recipe.batch.accumulation),
        max_grad_norm=recipe.optimizer.max_grad_norm,
        autocast=accelerator.autocast if half else nullcontext,
        scaler=accelerator.scaler,
    )


def _guidance(bank: TeacherRows | None, learner: Learner, frozen: FrozenModel | None) -> Guidance:
    momentum = learner.followers.get("momentum")
    assert momentum is None or isinstance(momentum, MomentumCopy)
    return Guidance(bank=bank, momentum=momentum, frozen=frozen)


def _made_fast(recipe: TrainRecipe, learner: Learner) -> Learner:
    for model in (learner.model, *(follower.model for follower in learner.followers.values())):
        model.prefer_channels_last()
        if recipe.compute.compile:
            model.compile_towers()
    return learner


def _announce(
    reporter: Reporter, plan: Plan, progress: Progress, device: torch.device, contrasted: int
) -> None:
    where = f"from step {progress.step}" if progress.step else "from the start"
    reporter.note(
        f"{plan.data_rows:,} pairs, {plan.episodes} episodes of {plan.steps_per_episode} steps, batch "
        f"{plan.batch} on {world()} x {device.type}, {where}; loss at chance: ln({contrasted}) = "
        f"{math.log(contrasted):.3f}"
    )


def _tracking(recipe: TrainRecipe, accelerator: Any) -> Callable[[dict[str, Any], int], None]:
    """Hand metrics to Accelerate's trackers, if the recipe names some."""
    if not recipe.trackers:
        return _track_nothing
    accelerator.init_trackers("protoclip", init_kwargs={"wandb": {"name": recipe.name}})
    return lambda values, step: accelerator.log(
        {name: value for name, value in values.items() if value is not None}, step=step
    )


def _track_nothing(values: dict[str, Any], step: int) -> None:
    """For runs without trackers."""


def _write_end(folder: RunFolder, error: BaseException | None) -> None:
    """Say in `status.json` how the run ended; launchers swallow exit codes."""
    if not is_main() or not folder.exists:
        return
    status = folder.read_status()
    if error is None:
        state, code = "finished", 0
    elif isinstance(error, KeyboardInterrupt):
        state, code = "interrupted", 130
    elif isinstance(error, ProtoclipError):
        state, code = ("stopped" if error.exit_code in {75, 130} else "failed"), error.exit_code
    else:
        state, code = "failed", 1
    folder.write_status(**{**status, "state": state, "exit": code})

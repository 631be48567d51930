"""What a checkpoint of a run holds, when one is written, and how a run starts from one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from protoclip_cli.compute.processes import is_main, wait_for_all
from protoclip_cli.core.errors import DataError
from protoclip_cli.models.saved import (
    DESCRIPTION,
    WEIGHTS,
    load_weights,
    save_description,
    save_weights,
    weights_of,
)
from protoclip_cli.prototypes.board_files import BoardFiles
from protoclip_cli.store.checkpoints import (
    Checkpoint,
    list_checkpoints,
    prune,
    save_checkpoint,
    tensors_hash,
)
from protoclip_cli.training.bad_images import BadImages
from protoclip_cli.training.followers import Follower
from protoclip_cli.training.learner import Learner
from protoclip_cli.training.specs import CheckpointsSpec
from protoclip_cli.training.step import Stepper

_OBJECTIVES, _OPTIMIZER = "objectives.safetensors", "optimizer.pt"
_FROZEN = "frozen_model_hash"


@dataclass(slots=True)
class Progress:
    """Where a run is."""

    episode: int = 0
    phase: str = "look"
    """`look`; `train` when the episode has its prototypes or needs none; `evaluate` when it is trained."""
    step: int = 0
    """Optimiser steps done."""
    images_read: int = 0
    images_bad: int = 0
    board: int = -1
    """The episode whose prototypes are in use; -1: none."""
    board_digest: str = ""
    """Of the file that holds them."""

    def next_episode(self) -> None:
        """Go on to the next episode."""
        self.episode, self.phase = self.episode + 1, "look"

    def count(self, bad_images: BadImages) -> None:
        """Take over the counts that a checkpoint must hold."""
        self.images_read, self.images_bad = bad_images.read, bad_images.bad


class Saver:
    """Writes checkpoints, and keeps as many as the recipe says."""

    def __init__(
        self,
        folder: Path,
        spec: CheckpointsSpec,
        episodes: int,
        steps_per_episode: int,
        frozen_hash: str | None = None,
    ) -> None:
        """Save into a folder.

        Args:
            folder: of the run's checkpoints.
            spec: when to save, and what to keep.
            episodes: of the run.
            steps_per_episode: of the optimiser.
            frozen_hash: of the frozen model's tensors, which are not saved, if the run has one.
        """
        self.folder, self.spec, self.frozen_hash = folder, spec, frozen_hash
        self.episodes, self.steps_per_episode = episodes, steps_per_episode
        self.latest_step, self.latest_phase = -1, ""
        self.boards = BoardFiles(folder.parent / "prototypes")

    def due_after_step(self, step: int) -> bool:
        """Whether to save in the middle of an episode."""
        return self.spec.every_steps is not None and step % self.spec.every_steps == 0

    def due_after_episode(self, episode: int) -> bool:
        """Whether to save at the end of an episode."""
        number = episode + 1
        kept = self.spec.keep_every is not None and number % self.spec.keep_every == 0
        return kept or number % self.spec.every_episodes == 0 or number == self.episodes

    def save(self, learner: Learner, stepper: Stepper, progress: Progress) -> None:
        """Write a checkpoint. The first process writes; all wait."""
        learner.lend_scale()
        if is_main():
            state: dict[str, Any] = {"optimizer": stepper.optimizer.state_dict()}
            if stepper.scaler is not None:
                state["scaler"] = stepper.scaler.state_dict()
            followers = {
                f"{name}.safetensors": partial(save_weights, follower.model)
                for name, follower in learner.followers.items()
            }
            save_checkpoint(
                self.folder,
                progress.step,
                {
                    WEIGHTS: lambda path: save_weights(learner.model, path),
                    DESCRIPTION: lambda path: save_description(learner.model, path),
                    _OBJECTIVES: lambda path: _save_objectives(learner, path),
                    _OPTIMIZER: lambda path: torch.save(state, path),
                    **followers,
                },
                {
                    **asdict(progress),
                    "model_hash": tensors_hash(weights_of(learner.model)),
                    **({} if self.frozen_hash is None else {_FROZEN: self.frozen_hash}),
                },
            )
            prune(self.folder, self.spec.keep_last, self._keep)
            in_use = {int(kept.state().get("board", -1)) for kept in list_checkpoints(self.folder)}
            self.boards.prune(in_use | {progress.board})
        self.latest_step, self.latest_phase = progress.step, progress.phase
        wait_for_all()

    def _keep(self, step: int) -> bool:
        every = self.spec.keep_every
        return every is not None and step > 0 and step % (every * self.steps_per_episode) == 0

    def restore(self, checkpoint: Checkpoint, learner: Learner, stepper: Stepper) -> Progress:
        """Load a checkpoint into everything that learns.

        Raises:
            DataError: it belongs to another model or other objectives.
        """
        load_weights(learner.model, checkpoint.path / WEIGHTS)
        for name, follower in learner.followers.items():
            _restore_follower(follower, name, checkpoint)
        _load_objectives(learner, checkpoint.path / _OBJECTIVES)
        state = torch.load(checkpoint.path / _OPTIMIZER, map_location="cpu", weights_only=True)
        try:
            stepper.optimizer.load_state_dict(_with_own_settings(stepper.optimizer, state["optimizer"]))
        except ValueError as error:
            raise DataError(f"{checkpoint.path / _OPTIMIZER} is of another model: {error}") from None
        if stepper.scaler is not None and "scaler" in state:
            stepper.scaler.load_state_dict(state["scaler"])
        known = checkpoint.state()
        if self.frozen_hash is not None and known.get(_FROZEN, self.frozen_hash) != self.frozen_hash:
            raise DataError(
                f"frozen_model is not the one {checkpoint.path} was trained with: its weights are others",
                hint="put the weights back that it was trained with",
            )
        progress = Progress(
            **{name: known.get(name, default) for name, default in asdict(Progress()).items()}
        )
        self.latest_step, self.latest_phase = progress.step, progress.phase
        return progress


def _restore_follower(follower: Follower, name: str, checkpoint: Checkpoint) -> None:
    file = checkpoint.path / f"{name}.safetensors"
    if not file.is_file():
        raise DataError(
            f"{checkpoint.path} has no {file.name}: the recipe had no `{name}` when it was saved",
            hint="go on with the recipe in the run folder, or start a new run with --init",
        )
    load_weights(follower.model, file)


def _with_own_settings(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> dict[str, Any]:
    """A saved state with the settings of the optimiser it is for: torch would bring back the saved ones."""
    own, groups = optimizer.state_dict()["param_groups"], saved["param_groups"]
    if len(own) != len(groups):
        return saved  # torch refuses it
    return saved | {
        "param_groups": [
            {**mine, "params": theirs["params"]} for mine, theirs in zip(own, groups, strict=True)
        ]
    }


def _save_objectives(learner: Learner, path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.clone() for name, tensor in learner.objectives.state_dict().items()}, path)


def _load_objectives(learner: Learner, path: Path) -> None:
    from safetensors.torch import load_file

    try:
        learner.objectives.load_state_dict(load_file(path))
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise DataError(f"{path} is of other objectives: {lines[min(1, len(lines) - 1)].strip()}") from None

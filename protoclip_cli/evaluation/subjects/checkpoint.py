"""A checkpoint of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from protoclip_cli.evaluation.subjects.base import Subject, Weights
from protoclip_cli.models.saved import AVERAGE, DESCRIPTION, WEIGHTS, load_model
from protoclip_cli.store.checkpoints import Checkpoint
from protoclip_cli.store.locks import pinned
from protoclip_cli.store.run import RunFolder


def is_checkpoint(path: Path) -> bool:
    """Whether a folder holds a model of protoclip."""
    return (path / DESCRIPTION).is_file()


@contextmanager
def open_checkpoint(path: Path, weights: Weights = "last") -> Iterator[Subject]:
    """Check and load a checkpoint. Inside, nobody prunes it.

    Raises:
        DataError: it is not whole, as while it is being written, or it has been pruned.
    """
    checkpoint = Checkpoint(path.resolve())
    with pinned(checkpoint.path):
        checkpoint.check()
        state, run = checkpoint.state(), RunFolder(checkpoint.path.parent.parent)
        model = load_model(checkpoint.path, AVERAGE if weights == "average" else WEIGHTS)
        yield Subject(model, run if run.exists else None, episode_of(state), state.get("step"))


def episode_of(state: dict[str, Any]) -> int | None:
    """The last episode that a checkpoint has learned from, be it in part.

    >>> episode_of({"episode": 3, "phase": "look"}), episode_of({"episode": 3, "phase": "evaluate"})
    (2, 3)
    """
    episode = state.get("episode")
    return episode - 1 if episode and state.get("phase") == "look" else episode


def ended_episode(state: dict[str, Any]) -> int | None:
    """The episode at whose end a checkpoint was saved; None in the middle of one."""
    return episode_of(state) if state.get("phase") in {"evaluate", "look"} else None

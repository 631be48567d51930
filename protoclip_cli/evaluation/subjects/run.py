"""A run: its last checkpoint, or that of an episode."""

from __future__ import annotations

from protoclip_cli.core.errors import DataError
from protoclip_cli.evaluation.subjects.base import Note
from protoclip_cli.evaluation.subjects.checkpoint import ended_episode
from protoclip_cli.store.checkpoints import Checkpoint, last_good, list_checkpoints
from protoclip_cli.store.run import RunFolder


def checkpoint_of(run: RunFolder, episode: int | None, note: Note) -> Checkpoint:
    """A checkpoint of a run.

    Args:
        run: its folder.
        episode: the checkpoint at the end of this one. None: the newest that is whole.
        note: is told which checkpoints are not.

    Raises:
        DataError: there is no such checkpoint.
    """
    checkpoint = last_good(run.checkpoints, note) if episode is None else _of_episode(run, episode)
    if checkpoint is None:
        raise DataError(f"{run.path} has no checkpoint yet", hint="train it further, with --resume")
    return checkpoint


def _of_episode(run: RunFolder, episode: int) -> Checkpoint:
    ends = {}
    for checkpoint in list_checkpoints(run.checkpoints):
        try:
            ends[ended_episode(checkpoint.state())] = checkpoint
        except (OSError, ValueError):
            continue  # it is pruned this very moment, or damaged: not what is asked for, or soon said
    if episode not in ends:
        known = ", ".join(str(number) for number in ends if number is not None) or "none"
        raise DataError(
            f"{run.path} has no checkpoint of the end of episode {episode}",
            hint=f"episodes with one: {known}; checkpoints.keep_every keeps more",
        )
    return ends[episode]

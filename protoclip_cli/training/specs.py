"""The parts of a recipe that the loop reads."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from protoclip_cli.core.spec import Spec


class EpisodesSpec(Spec):
    """How the data set is cut into episodes."""

    rows: int | Literal["all"] = "all"
    """Rows of an episode; `all`: as many as the data set has."""
    count: int = Field(1, gt=0)
    """Episodes to train."""
    sampling: Literal["shuffle", "replacement"] = "shuffle"
    """`shuffle`: every row once before any comes again. `replacement`: each drawn anew, as in ProtoCLIP."""


class BatchSpec(Spec):
    """Rows of a step."""

    size: int = Field(256, gt=1)
    """Rows of a step, over all processes."""
    accumulate: int = Field(1, gt=0)
    """Parts a step is encoded in, to save memory. Gradients are those of the whole batch."""
    workers: int | Literal["auto"] = "auto"
    """Loader processes of each training process."""


class TowerSpec(Spec):
    """When a tower learns."""

    first_episode: int = Field(0, ge=0)
    """The episode in which it starts."""
    last_episode: int | None = Field(None, ge=0)
    """The last one in which it learns. Empty: the end of training."""

    def learns(self, episode: int) -> bool:
        """Whether the tower learns in an episode."""
        return self.first_episode <= episode and (self.last_episode is None or episode <= self.last_episode)


class CheckpointsSpec(Spec):
    """When to save, and what to keep."""

    every_steps: int | None = Field(None, gt=0)
    """Save every so many steps, besides the ends of episodes. Empty: only there."""
    every_episodes: int = Field(1, gt=0)
    """Save at the end of every so many episodes, and of the last one."""
    keep_last: int = Field(3, gt=0)
    """How many of the newest to keep."""
    keep_every: int | None = Field(None, gt=0)
    """Keep also the ends of every so many episodes. Empty: none."""

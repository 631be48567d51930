"""Which rows make an episode, a batch, and a process's share of it: pure functions of the seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.compute.randomness import generator
from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.needs import Needs
from protoclip_cli.data.loader import Request
from protoclip_cli.training.specs import BatchSpec, EpisodesSpec


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows of a whole run, as arithmetic."""

    seed: int
    data_rows: int
    """N."""
    rows: int
    """E."""
    episodes: int
    batch: int
    """B."""
    replacement: bool

    @classmethod
    def make(cls, seed: int, data_rows: int, episodes: EpisodesSpec, batch: BatchSpec) -> Plan:
        """Put the parts of a recipe together.

        Raises:
            RecipeError: an episode has less than one batch.
        """
        rows = data_rows if episodes.rows == "all" else episodes.rows
        if rows < batch.size:
            raise RecipeError(
                f"an episode of {rows} rows has less than one batch of {batch.size}",
                hint="lower batch.size, or raise episodes.rows",
            )
        return cls(seed, data_rows, rows, episodes.count, batch.size, episodes.sampling == "replacement")

    @property
    def steps_per_episode(self) -> int:
        """Whole batches of an episode; what is left over is not trained on."""
        return self.rows // self.batch

    @property
    def steps(self) -> int:
        """Optimiser steps of the run."""
        return self.steps_per_episode * self.episodes

    def episode_rows(self, episode: int) -> NDArray[np.int64]:
        """The rows of an episode, (E,).

        Shuffled, episodes are consecutive pieces of one endless line of permutations, so that every row comes
        once before any comes again, whatever E is.
        """
        if self.replacement:
            chance = generator(self.seed, "episode", episode)
            return chance.integers(self.data_rows, size=self.rows)
        start, stop = episode * self.rows, (episode + 1) * self.rows
        passes = range(start // self.data_rows, (stop - 1) // self.data_rows + 1)
        line = [generator(self.seed, "pass", number).permutation(self.data_rows) for number in passes]
        offset = start - passes.start * self.data_rows
        return np.concatenate(line)[offset : offset + self.rows].astype(np.int64)

    def requests(self, episode: int, first: int, needs: Needs, rank: int, world: int) -> Iterator[Request]:
        """What one process reads in an episode, batch by batch.

        Args:
            episode: which one.
            first: the batch to begin with.
            needs: of the objectives active in the episode.
            rank: which process.
            world: how many there are.
        """
        rows = self.episode_rows(episode)
        share = self.batch // world
        for step in range(first, self.steps_per_episode):
            start = step * self.batch + rank * share
            positions = np.arange(start, start + share)
            yield Request(episode, positions, rows[positions], needs.image_views, needs.text_views)

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
from protoclip_cli.training.distinct import Distinct
from protoclip_cli.training.specs import BatchSpec, EpisodesSpec


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows of a whole run, as arithmetic."""

    seed: int
    data_rows: int
    """N."""
    rows: int
    """E."""
    batch: int
    """B."""
    replacement: bool
    anchors: tuple[int, ...]
    """For each episode, the one whose rows it trains on."""
    distinct: Distinct | None = None
    """What must not come twice in a batch."""

    @classmethod
    def make(
        cls,
        seed: int,
        data_rows: int,
        episodes: EpisodesSpec,
        batch: BatchSpec,
        anchors: tuple[int, ...] = (),
        distinct: Distinct | None = None,
    ) -> Plan:
        """Put the parts of a recipe together.

        Raises:
            RecipeError: an episode has less than one batch, or more rows than there are.
        """
        rows = data_rows if episodes.rows == "all" else episodes.rows
        if rows > data_rows:
            raise RecipeError(
                f"an episode of {rows:,} rows is larger than the data, which has {data_rows:,}",
                hint="set episodes.rows: all, or a smaller number",
            )
        if rows < batch.size:
            raise RecipeError(
                f"an episode of {rows} rows has less than one batch of {batch.size}",
                hint="lower batch.size, or raise episodes.rows",
            )
        anchors = anchors or tuple(range(episodes.count))
        replacement = episodes.sampling == "replacement"
        return cls(seed, data_rows, rows, batch.size, replacement, anchors, distinct)

    @property
    def episodes(self) -> int:
        """Episodes of the run."""
        return len(self.anchors)

    @property
    def steps_per_episode(self) -> int:
        """Whole batches of an episode; what is left over is not trained on."""
        return self.rows // self.batch

    @property
    def steps(self) -> int:
        """Optimiser steps of the run."""
        return self.steps_per_episode * self.episodes

    def episode_rows(self, episode: int) -> NDArray[np.int64]:
        """The rows of an episode by position, (E,).

        Shuffled, draws are consecutive pieces of one endless line of permutations, so that every row comes
        once before any comes again, whatever E is.
        """
        draw = len(set(self.anchors[: episode + 1])) - 1
        if self.replacement:
            chance = generator(self.seed, "episode", draw)
            return chance.integers(self.data_rows, size=self.rows)
        start, stop = draw * self.rows, (draw + 1) * self.rows
        passes = range(start // self.data_rows, (stop - 1) // self.data_rows + 1)
        line = [generator(self.seed, "pass", number).permutation(self.data_rows) for number in passes]
        offset = start - passes.start * self.data_rows
        return np.concatenate(line)[offset : offset + self.rows].astype(np.int64)

    def order(self, episode: int) -> NDArray[np.int64]:
        """The positions in the order they are trained on, (E,); a new order for rows that come again."""
        return self._arranged(episode)[0]

    def repetitions(self, episode: int) -> int:
        """Rows that share a batch with one they should not, because there are too many of their kind."""
        return self._arranged(episode)[1]

    def _arranged(self, episode: int) -> tuple[NDArray[np.int64], int]:
        anchor, order = self.anchors[episode], np.arange(self.rows)
        if anchor != episode:
            order = generator(self.seed, "order", episode).permutation(self.rows)
        if self.distinct is None:
            return order, 0
        return self.distinct.arrange(episode, anchor, self.episode_rows(episode), order, self.batch)

    def requests(self, episode: int, first: int, needs: Needs, rank: int, world: int) -> Iterator[Request]:
        """What one process trains on in an episode, batch by batch.

        Args:
            episode: which one.
            first: the batch to begin with.
            needs: of the objectives active in the episode.
            rank: which process.
            world: how many there are.
        """
        rows, order, share = self.episode_rows(episode), self.order(episode), self.batch // world
        for step in range(first, self.steps_per_episode):
            start = step * self.batch + rank * share
            mine = order[start : start + share]
            anchor = self.anchors[episode]
            views = needs.image_views, needs.text_views
            yield Request(episode, anchor, mine, rows[mine], *views, labels=needs.labels)

    def left_over(self, rank: int, world: int) -> NDArray[np.int64]:
        """This process's share of the positions after the last whole batch."""
        rest = np.arange(self.steps_per_episode * self.batch, self.rows)
        return rest[len(rest) * rank // world : len(rest) * (rank + 1) // world]

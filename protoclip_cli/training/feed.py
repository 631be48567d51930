"""The batches of a run, read ahead in the order the loop will ask for them.

What the look at an episode has read, training need not read again, as far as memory allows: chance belongs
to rows, not to readings, so a kept batch and one read again are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from protoclip_cli.compute.processes import rank, world
from protoclip_cli.data.loader import Fetched, PairReader, Request, load
from protoclip_cli.training.episodes import Plan
from protoclip_cli.training.phases import Phase


@dataclass(frozen=True, slots=True)
class Looking:
    """Which episodes are looked at, and how."""

    episodes: frozenset[int]
    clean: bool
    keep_bytes: float
    """Memory of this process for what training need not read again."""
    image_bytes: int
    """Of one view."""


class Feed:
    """Reads batches of this process."""

    def __init__(
        self,
        plan: Plan,
        phase: Callable[[int], Phase],
        looking: Looking,
        reader: PairReader,
        *,
        workers: int,
        pin: bool,
    ) -> None:
        self.plan, self.phase, self.looking, self.reader = plan, phase, looking, reader
        self._workers, self._pin = workers, pin
        self._batches: Iterator[Fetched] = iter(())
        self._kept: dict[int, Fetched] = {}

    def start(self, episode: int, step: int, *, look: bool) -> None:
        """Begin to read.

        Args:
            episode: the first one.
            step: optimiser steps done.
            look: whether the first episode is still to be looked at, if it is looked at at all.
        """
        self._batches = load(
            self.reader, self._requests(episode, step, look), workers=self._workers, pin=self._pin
        )

    def look(self, episode: int) -> Iterator[Fetched]:
        """The batches to look at, to be read to the end before `next`."""
        kept = self._keeps(episode)
        for number, _ in enumerate(self._look_requests(episode)):
            fetched = next(self._batches)
            if number < kept:
                step = episode * self.plan.steps_per_episode + number
                self._kept[step] = replace(fetched, batch=replace(fetched.batch, clean=None)).own_memory()
            yield fetched

    def next(self, step: int) -> Fetched:
        """The batch to train on after so many optimiser steps."""
        return self._kept.pop(step) if step in self._kept else next(self._batches)

    def _requests(self, episode: int, step: int, look: bool) -> Iterator[Request]:
        """Everything that is left to read, so that reading goes on across episodes."""
        first = step - episode * self.plan.steps_per_episode
        for number in range(episode, self.plan.episodes):
            looks = number in self.looking.episodes and (look or number > episode)
            if looks:
                yield from self._look_requests(number)
            begin = max(first if number == episode else 0, self._keeps(number) if looks else 0)
            yield from self.plan.requests(number, begin, self.phase(number).needs, rank(), world())

    def _look_requests(self, episode: int) -> Iterator[Request]:
        """Every position of the episode once; with all their views those whose batch is kept."""
        needs, clean, kept = self.phase(episode).needs, self.looking.clean, self._keeps(episode)
        seen = {name: int(name in needs.looked_at) for name in ("image", "text")}
        clean = clean and bool(seen["image"])
        only_look = replace(needs, image_views=0 if clean else seen["image"], text_views=seen["text"])
        for number, request in enumerate(self.plan.requests(episode, 0, needs, rank(), world())):
            views = needs if number < kept else only_look
            yield replace(request, image_views=views.image_views, text_views=views.text_views, clean=clean)
        rest = self.plan.left_over(rank(), world())
        if len(rest):
            rows = self.plan.episode_rows(episode)[rest]
            image, text = only_look.image_views, only_look.text_views
            yield Request(episode, episode, rest, rows, image, text, clean)

    def _keeps(self, episode: int) -> int:
        """How many batches fit into the memory for them."""
        views = self.phase(episode).needs.image_views
        size = self.looking.image_bytes * views * (self.plan.batch // world())
        return min(self.plan.steps_per_episode, int(self.looking.keep_bytes // size) if size else 0)

"""The training loop: episodes of steps, each exactly repeatable from any checkpoint.

    for each episode
        look      encode its rows without gradients, if objectives want prototypes of them
        cluster   make the prototypes
        train     read a batch, take a step, remember what it measured
        save      when it is due
        evaluate  whatever the workflow wants done after an episode

A signal stops all processes at the same step, saved.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from protoclip_cli.compute.device import peak_memory_bytes
from protoclip_cli.compute.processes import is_main, world
from protoclip_cli.compute.stop import StopFlag
from protoclip_cli.core.errors import Interrupted, Stopped
from protoclip_cli.core.reporter import Pace, Reporter
from protoclip_cli.core.types import Batch, Modality
from protoclip_cli.objectives import ObjectiveSpec
from protoclip_cli.optimization.optimizers import OptimizerSpec
from protoclip_cli.optimization.schedules import ScheduleSpec
from protoclip_cli.store.lines import append_lines
from protoclip_cli.store.run import RunFolder
from protoclip_cli.training.bad_images import BadImages
from protoclip_cli.training.clusterer import Clusterer
from protoclip_cli.training.episodes import Plan
from protoclip_cli.training.feed import Feed
from protoclip_cli.training.guidance import Guidance
from protoclip_cli.training.journal import Journal
from protoclip_cli.training.learner import Learner
from protoclip_cli.training.odd_texts import OddTextCount
from protoclip_cli.training.phases import Phase, phase_of
from protoclip_cli.training.saving import Progress, Saver
from protoclip_cli.training.specs import TowerSpec
from protoclip_cli.training.step import Stepper

_FLUSH_STEPS, _FLUSH_SECONDS = 20, 1.0
T = TypeVar("T")


@dataclass(slots=True)
class Loop:
    """Everything that training holds while it runs."""

    plan: Plan
    learner: Learner
    stepper: Stepper
    objectives: Mapping[str, ObjectiveSpec]
    towers: Mapping[Modality, TowerSpec]
    optimizer_spec: OptimizerSpec
    schedule: ScheduleSpec
    feed: Feed
    clusterer: Clusterer | None
    """Makes prototypes, if the recipe wants some."""
    guidance: Guidance
    device: torch.device
    folder: RunFolder
    saver: Saver
    journal: Journal
    bad_images: BadImages
    odd_texts: OddTextCount
    reporter: Reporter
    progress: Progress
    track: Callable[[dict[str, Any], int], None]
    after_episode: Callable[[int, int, Callable[[], None]], None]
    """Called with the episode, the steps done, and a function to call between its parts."""

    def run(self) -> None:
        """Train to the end.

        Raises:
            Stopped: a signal came; everything is saved.
        """
        with StopFlag() as stop:
            self._begin()
            while self.progress.episode < self.plan.episodes:
                if self.progress.phase == "look":
                    self._look_and_cluster(stop)
                if self.progress.phase == "train":
                    self._train_episode(stop)
                self._stop_if_asked(stop)
                self._status("running", "evaluate")
                self.after_episode(
                    self.progress.episode, self.progress.step, lambda: self._stop_if_asked(stop)
                )
                self.progress.next_episode()
                self.journal.restart_clock()

    def _begin(self) -> None:
        """Start reading where the run is, and fetch the prototypes it is in the middle of."""
        where, looked = self.progress, self.progress.phase != "look"
        if self.clusterer is not None and where.board >= 0:
            self.guidance.board = self.clusterer.load(where.board, where.board_digest)
        if where.phase == "evaluate":
            first = (where.episode + 1) * self.plan.steps_per_episode
            self.feed.start(where.episode + 1, first, look=True)
        else:
            self.feed.start(where.episode, where.step, look=not looked)

    def _look_and_cluster(self, stop: StopFlag) -> None:
        """Make the episode's prototypes. Stopped in the middle, it begins again: nothing is learned here."""
        episode, clusterer = self.progress.episode, self.clusterer
        if clusterer is not None and episode in self.feed.looking.episodes:
            batches = self._looked_at(episode, stop)
            self.guidance.board = None  # make room
            phase = self._phase(episode)
            features = self._timed("look", lambda: clusterer.look(batches, phase, self.guidance))
            self._stop_if_asked(stop)
            made = self._timed("cluster", lambda: clusterer.cluster(features, episode))
            if self.progress.board < 0:
                self.reporter.note(f"prototypes: {made[0].words}")
            self.guidance.board, digest = made
            self.progress.board, self.progress.board_digest = episode, digest
        self.progress.phase = "train"
        self.journal.restart_clock()

    def _looked_at(self, episode: int, stop: StopFlag) -> Iterator[Batch]:
        for fetched in self.feed.look(episode):
            self._stop_if_asked(stop)
            yield fetched.to(self.device)

    def _timed(self, phase: str, work: Callable[[], T]) -> T:
        """Do the work of a phase and write down how long it took."""
        self._status("running", phase)
        self.reporter.pace(self._pace(phase, {}, 0.0))
        began = time.perf_counter()
        done = work()
        self._took(phase, time.perf_counter() - began)
        return done

    def _took(self, phase: str, seconds: float) -> None:
        if is_main():
            where = {"step": self.progress.step, "episode": self.progress.episode}
            timing = {**where, "phase": phase, "seconds": round(seconds, 3)}
            peak = peak_memory_bytes(self.device)
            append_lines(self.folder.timings, [{**timing, "peak_memory_bytes": peak}])

    def _phase(self, episode: int) -> Phase:
        return phase_of(episode, self.objectives, self.towers)

    def _train_episode(self, stop: StopFlag) -> None:
        began, phase = time.perf_counter(), self._phase(self.progress.episode)
        self.learner.enter(phase)
        self.guidance.enter(self.learner.model)
        self._status("running", "train")
        last = (self.progress.episode + 1) * self.plan.steps_per_episode
        self._tell_repetitions()
        while self.progress.step < last:
            self._stop_if_asked(stop)
            self._step(phase)
            if self.saver.due_after_step(self.progress.step) and self.progress.step < last:
                self._save()
        self._flush()
        self.odd_texts.tell(self.progress.episode, self.progress.step)
        self._took("train", time.perf_counter() - began)
        self.progress.phase = "evaluate"
        if self.saver.due_after_episode(self.progress.episode):
            self._save()

    def _tell_repetitions(self) -> None:
        episode = self.progress.episode
        first = self.progress.step == episode * self.plan.steps_per_episode
        if first and (rows := self.plan.repetitions(episode)):
            self.reporter.note(
                f"episode {episode}: {rows:,} rows share a batch with one of the same image or caption, "
                "because there are more of their kind than batches"
            )
            if is_main():
                self.folder.add_event("repetitions", step=self.progress.step + 1, episode=episode, rows=rows)

    def _step(self, phase: Phase) -> None:
        began = time.perf_counter()
        fetched = self.feed.next(self.progress.step)
        waited = time.perf_counter() - began
        self.bad_images.see(fetched, self.progress.step)
        self.odd_texts.see(fetched)
        step, rates = self.progress.step, self._rates(self.progress.step)
        metrics = self.stepper.step(fetched.to(self.device), phase, step, rates, self.guidance)
        self.progress.step += 1
        row = {"step": self.progress.step, "episode": phase.episode}
        if step == self.progress.board * self.plan.steps_per_episode and self.guidance.board is not None:
            row |= self.guidance.board.numbers  # once, in the first step that they guide
        self.journal.add({**row, "lr": rates["image"], "text_lr": rates["rest"]}, metrics, waited)
        if self._flush_is_due():
            self._flush()

    def _flush_is_due(self) -> bool:
        """Reading values waits for the device, so it is done now and then.

        Several processes count, because writing together is collective and their clocks differ.
        """
        return self.journal.pending >= _FLUSH_STEPS or (
            world() == 1 and self.journal.seconds > _FLUSH_SECONDS
        )

    def _rates(self, step: int) -> dict[str, float]:
        rates = {}
        for side, modality in (("image", Modality.IMAGE), ("rest", Modality.TEXT)):
            tower, per_episode = self.towers[modality], self.plan.steps_per_episode
            episodes = self.plan.episodes if tower.last_episode is None else tower.last_episode + 1
            first, last = tower.first_episode * per_episode, min(episodes, self.plan.episodes) * per_episode
            base = self.optimizer_spec.base_rate(side)
            rates[side] = self.schedule.rate(base, step, first, last)
        return rates

    def _flush(self) -> None:
        latest, speed, warning = self.journal.flush()
        self.bad_images.judge()
        if latest is None:
            return
        if warning and is_main():
            self.reporter.warn(warning)
            self.folder.add_event("stuck", step=self.progress.step, message=warning)
        if is_main():
            self.track(latest, self.progress.step)
        self.reporter.pace(self._pace(self.progress.phase, latest, speed))

    def _pace(self, phase: str, metrics: Mapping[str, float | None], speed: float) -> Pace:
        return Pace(
            step=self.progress.step,
            steps=self.plan.steps,
            episode=self.progress.episode,
            episodes=self.plan.episodes,
            phase=phase,
            samples_per_second=speed,
            metrics=metrics,
            chance=math.log(self.journal.contrasted),
        )

    def _save(self) -> None:
        """Write a checkpoint; metrics first, so that weights that are not finite are found before."""
        self._flush()
        self.progress.count(self.bad_images)
        self.saver.save(self.learner, self.stepper, self.progress)
        self.journal.restart_clock()

    def _stop_if_asked(self, stop: StopFlag) -> None:
        if not (number := stop.poll()):
            return
        if self.saver.latest_step != self.progress.step or self.saver.latest_phase != self.progress.phase:
            self._save()
        kind = Interrupted if number == signal.SIGINT else Stopped
        if is_main():
            self.folder.add_event("stopped", step=self.progress.step, signal=signal.Signals(number).name)
        raise kind(
            f"stopped by {signal.Signals(number).name} after step {self.progress.step} of {self.plan.steps}; "
            "everything is saved",
            hint="continue with the same command and --resume",
        )

    def _status(self, state: str, phase: str) -> None:
        if is_main():
            where = {"episode": self.progress.episode, "step": self.progress.step, "steps": self.plan.steps}
            self.folder.write_status(state=state, phase=phase, exit=None, **where)

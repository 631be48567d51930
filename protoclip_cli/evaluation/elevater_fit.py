"""ELEVATER's fit: draw images, search rate and weight decay on some of them, train on all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from protoclip_cli.compute.randomness import generator
from protoclip_cli.evaluation.few_shot_sample import classes_of, few_shot, part_for_validation
from protoclip_cli.evaluation.head_fit import Task, at_epoch, best_epoch, search_settings
from protoclip_cli.evaluation.learnable import Learnable
from protoclip_cli.evaluation.probe_settings import (
    ELEVATER_DECAYS,
    ELEVATER_EPOCHS,
    ELEVATER_FINAL_EPOCHS,
    ELEVATER_RATES,
    GradientProbe,
    elevater,
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """Images that were drawn."""

    fit: Learnable
    held: Learnable
    whole: Learnable
    """For the last fit."""
    lacking: int
    """How many classes have fewer images than were asked for."""


def draw(train: Learnable, classes: int, shots: int, seed: int) -> Drawn:
    """Draw images of each class, and hold out some of them.

    Args:
        train: all training images.
        classes: how many classes there are.
        shots: images of each class; -1: all there are. Of one, a second is drawn, which validates only.
        seed: of the draw.
    """
    labels = classes_of(train)
    everything = list(range(len(train)))
    positions = everything if shots == -1 else few_shot(labels, classes, max(shots, 2), seed)
    drawn = train.take(np.array(positions, np.int64))
    own = [labels[position] for position in positions]
    rest, held = part_for_validation(own, classes)
    fit, held_out = drawn.take(np.array(rest, np.int64)), drawn.take(np.array(held, np.int64))
    counts = np.bincount([c for several in own for c in several], minlength=classes)
    return Drawn(fit, held_out, fit if shots == 1 else drawn, int((counts < shots).sum()))


@dataclass(frozen=True, slots=True, kw_only=True)
class ElevaterFit:
    """How a head is fitted to images that were drawn."""

    rate: float | None
    """None: search rate and decay."""
    decay: float
    search_rows: int | None
    best_on_test: bool
    """Whether the epoch that is best on the scored rows counts, and not the last."""
    first_weight: Tensor | None

    def __call__(self, drawn: Drawn, test: Learnable, task: Task) -> NDArray[np.float32]:
        """The logits (n, C) of the test rows.

        Raises:
            ProtoclipError: no training gave a head that tells anything apart.
        """
        last = ELEVATER_FINAL_EPOCHS - 1
        rate, decay = (self.rate, self.decay) if self.rate is not None else self._searched(drawn, task)
        probe = GradientProbe(elevater(ELEVATER_FINAL_EPOCHS), rate, decay)
        if self.best_on_test:
            return best_epoch(drawn.whole, test, probe, task, first_weight=self.first_weight).chosen
        if self.rate is None:
            # The search takes the best of ten epochs; what is best then may have decayed to nothing in fifty.
            last = best_epoch(drawn.fit, drawn.held, probe, task, first_weight=self.first_weight).epoch
        return at_epoch(drawn.whole, test, probe, task, last, first_weight=self.first_weight).chosen

    def _searched(self, drawn: Drawn, task: Task) -> tuple[float, float]:
        fit = drawn.fit
        if self.search_rows is not None and len(fit) > self.search_rows:
            chosen = generator(task.seed, "elevater/search").permutation(len(fit))[: self.search_rows]
            fit = fit.take(np.sort(chosen))
        training = elevater(ELEVATER_EPOCHS)
        return search_settings(
            fit,
            drawn.held,
            ELEVATER_RATES,
            ELEVATER_DECAYS,
            training,
            task,
            any_epoch=True,
            first_weight=self.first_weight,
        )

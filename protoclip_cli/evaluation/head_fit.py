"""Fits of linear heads whose epoch or settings are chosen by how they do on other rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.data.benchmarks.base import Metric
from protoclip_cli.evaluation.decay_search import Try, search
from protoclip_cli.evaluation.judging import primary
from protoclip_cli.evaluation.learnable import Learnable
from protoclip_cli.evaluation.linear_head import Heads, HeadTraining, train_heads
from protoclip_cli.evaluation.probe_settings import GradientProbe


@dataclass(frozen=True, slots=True)
class Task:
    """What a head should tell apart, and by which number it is chosen."""

    classes: int
    metric: Metric
    seed: int


@dataclass(frozen=True, slots=True)
class Epochs:
    """What a head scores on other rows after one epoch, chosen or last."""

    chosen: NDArray[np.float32]
    """(n, C), logits after the chosen epoch."""
    last: NDArray[np.float32]
    epoch: int
    """The chosen one, from 0."""


def best_epoch(
    train: Learnable,
    judged: Learnable,
    probe: GradientProbe,
    task: Task,
    *,
    first_weight: Tensor | None = None,
) -> Epochs:
    """Train a head and keep what it scores after the epoch that is best on the judged rows themselves.

    Raises:
        ProtoclipError: the training diverged.
    """
    best, chosen, at, last = -1.0, None, 0, None
    for epoch, heads in enumerate(_trained(train, probe, task, first_weight)):
        last = heads.scores(judged.inputs).numpy()
        if (value := primary(last, judged, task.metric)) > best:
            best, chosen, at = value, last, epoch
    return _finite(chosen, last, at)


def at_epoch(
    train: Learnable,
    judged: Learnable,
    probe: GradientProbe,
    task: Task,
    epoch: int,
    *,
    first_weight: Tensor | None = None,
) -> Epochs:
    """Train a head and keep what it scores on the judged rows after a given epoch.

    Raises:
        ProtoclipError: the training diverged.
    """
    chosen = last = None
    for number, heads in enumerate(_trained(train, probe, task, first_weight)):
        if number == epoch:
            chosen = heads.scores(judged.inputs).numpy()
    last = heads.scores(judged.inputs).numpy()
    return _finite(chosen, last, epoch)


def search_settings(  # noqa: PLR0913
    train: Learnable,
    judged: Learnable,
    rates: Sequence[float],
    decays: Sequence[float],
    training: HeadTraining,
    task: Task,
    *,
    any_epoch: bool,
    first_weight: Tensor | None = None,
) -> tuple[float, float]:
    """The learning rate and weight decay whose head is best on the judged rows.

    Args:
        train: rows to fit on.
        judged: rows to choose by.
        rates: learning rates to try.
        decays: the grid of weight decays, see `decay_search`.
        training: everything else.
        task: what is told apart.
        any_epoch: a head is as good as after its best epoch. False: as after its last.
        first_weight: see `train_heads`.

    Raises:
        ProtoclipError: every training diverged.
    """

    def scores(tries: Sequence[Try]) -> list[float]:
        values = np.zeros(len(tries))
        stack = train_heads(
            train.inputs,
            train.wanted,
            task.classes,
            [rates[rate] for rate, _ in tries],
            [decays[decay] for _, decay in tries],
            training,
            seed=task.seed,
            first_weight=first_weight,
        )
        for heads in stack:
            now = [_value(heads, judged, task.metric, head) for head in range(len(tries))]
            values = np.maximum(values, now) if any_epoch else np.array(now)
        return [float(value) for value in values]

    (rate, decay), value = search(len(rates), scores, len(decays))
    if not value:
        raise ProtoclipError("no setting of the search gave a head that tells anything apart", hint=_HINT)
    return rates[rate], decays[decay]


_HINT = "the features may be the same for all images: try an earlier checkpoint"


def _value(heads: Heads, judged: Learnable, metric: Metric, head: int) -> float:
    return primary(heads.scores(judged.inputs, head).numpy(), judged, metric)


def _trained(
    train: Learnable, probe: GradientProbe, task: Task, first_weight: Tensor | None
) -> Iterator[Heads]:
    return train_heads(
        train.inputs,
        train.wanted,
        task.classes,
        [probe.rate],
        [probe.decay],
        probe.training,
        seed=task.seed,
        first_weight=first_weight,
    )


def _finite(chosen: NDArray[np.float32] | None, last: NDArray[np.float32] | None, epoch: int) -> Epochs:
    if chosen is None or last is None or not np.isfinite(last).all() or not np.isfinite(chosen).all():
        raise ProtoclipError("the linear head diverged", hint="use a smaller learning rate")
    return Epochs(chosen, last, epoch)

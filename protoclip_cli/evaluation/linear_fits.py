"""The methods of the linear probe: what each fits, and on which rows it chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from protoclip_cli.evaluation.head_fit import Task, at_epoch, best_epoch, search_settings
from protoclip_cli.evaluation.learnable import Learnable
from protoclip_cli.evaluation.logistic import fit_best, fit_plain
from protoclip_cli.evaluation.multi_label_logistic import fit_best_multi_label
from protoclip_cli.evaluation.probe_settings import (
    CLIP_BENCHMARK,
    CLIP_BENCHMARK_DECAYS,
    CLIP_BENCHMARK_RATE,
    GRADIENT_PROBES,
    ITRA_STRENGTHS,
    STRENGTHS,
    GradientProbe,
    Original,
)
from protoclip_cli.evaluation.score import Selection
from protoclip_cli.metrics.ranking import Floats

Method = Literal["lbfgs", "sklearn", "sgd", "adamw"]
Note = Callable[[str], None]


class Settings(Protocol):
    """What a recipe says about a fit."""

    @property
    def original(self) -> Original:
        """Whose settings."""

    @property
    def strength(self) -> float | None:
        """C, where it is given."""

    @property
    def select_on(self) -> Literal["validation", "test"]:
        """On which rows to choose."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The splits of a benchmark."""

    train: Learnable
    val: Learnable | None
    test: Learnable

    def to_choose(self, settings: Settings, seed: int) -> tuple[Learnable, Learnable, Learnable]:
        """Rows to fit on, rows to choose on, and rows for the last fit."""
        if settings.select_on == "test":
            return self.train, self.test, self.train
        if self.val is not None:
            return self.train, self.val, self.train.joined(self.val)
        return *self.train.divided(seed), self.train


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit says about the test rows."""

    scores: Floats
    """(n, C), logits."""
    selection: Selection
    suffix: str = ""
    """Of the names of metrics."""


def by_lbfgs(settings: Settings, rows: Rows, name: str, task: Task, note: Note) -> Iterator[Fitted]:  # noqa: ARG001
    """Logistic regression on standardised features. See `logistic.fit_best`."""
    train, held = rows.train, rows.val
    on_test = settings.select_on == "test"
    if on_test:
        held = rows.test
    if train.targets is not None:
        validation = None if held is None or held.targets is None else (held.features, held.targets)
        model, _ = fit_best_multi_label(
            train.features, train.targets, task.seed, note, validation, refit=not on_test
        )
        yield Fitted(model.scores(rows.test.features), settings.select_on)
        return
    pair = None if held is None else (held.features, held.labels)
    predict, _ = fit_best(train.features, train.labels, task.seed, note, pair, refit=not on_test)
    yield Fitted(predict.scores(rows.test.features, task.classes), settings.select_on)


def by_sklearn(settings: Settings, rows: Rows, name: str, task: Task, note: Note) -> Iterator[Fitted]:
    """Logistic regression on features as they are. Nothing is chosen."""
    c = STRENGTHS[settings.original]
    if settings.original == "itra":
        c = ITRA_STRENGTHS.get(name, c)
    predict = fit_plain(rows.train.features, rows.train.labels, settings.strength or c, note)
    yield Fitted(predict.scores(rows.test.features, task.classes), "none")


def by_sgd(settings: Settings, rows: Rows, name: str, task: Task, note: Note) -> Iterator[Fitted]:  # noqa: ARG001
    """A head after its best epoch, and after its last.

    On validation rows, the best epoch is found first, and the head is trained again with these rows too.
    """
    probe = GRADIENT_PROBES[settings.original]
    if settings.select_on == "test":
        epochs = best_epoch(rows.train, rows.test, probe, task)
    else:
        fit, held, whole = rows.to_choose(settings, task.seed)
        epochs = at_epoch(whole, rows.test, probe, task, best_epoch(fit, held, probe, task).epoch)
    yield Fitted(epochs.chosen, settings.select_on)
    yield Fitted(epochs.last, "none", "_last")


def by_adamw(settings: Settings, rows: Rows, name: str, task: Task, note: Note) -> Iterator[Fitted]:  # noqa: ARG001
    """A head whose weight decay is searched, as in CLIP_benchmark, and which then is trained on all rows."""
    fit, held, whole = rows.to_choose(settings, task.seed)
    rate, decay = search_settings(
        fit, held, [CLIP_BENCHMARK_RATE], CLIP_BENCHMARK_DECAYS, CLIP_BENCHMARK, task, any_epoch=False
    )
    probe = GradientProbe(CLIP_BENCHMARK, rate, decay)
    last = at_epoch(whole, rows.test, probe, task, CLIP_BENCHMARK.epochs - 1)
    yield Fitted(np.asarray(last.last), settings.select_on)


FITS: Mapping[Method, Callable[[Settings, Rows, str, Task, Note], Iterator[Fitted]]] = {
    "lbfgs": by_lbfgs,
    "sklearn": by_sklearn,
    "sgd": by_sgd,
    "adamw": by_adamw,
}

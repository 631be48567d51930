"""Fine-tune: what the image tower learns when all of it may, from all or a few images of each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, field_validator
from torch import Tensor

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.data.benchmarks.base import Benchmark, Labelled
from protoclip_cli.evaluation.decay_search import Try, search
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.few_shot_sample import classes_of, few_shot, part_for_validation
from protoclip_cli.evaluation.fine_tuning import Classifier, Tuning, logits_of, tune
from protoclip_cli.evaluation.judging import class_count, judge, primary
from protoclip_cli.evaluation.probe_settings import ELEVATER_DECAYS, ELEVATER_EPOCHS, ELEVATER_RATES
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec, needs_train_split
from protoclip_cli.evaluation.prompting import prompt_directions
from protoclip_cli.optimization.optimizers import OPTIMIZERS, OptimizerSpec
from protoclip_cli.optimization.schedules import SCHEDULES

_OptimizerField: Any = OPTIMIZERS.any
_ScheduleField: Any = SCHEDULES.any


class FineTuneSpec(ProbeSpec):
    """Train a copy of the image tower with a linear head on the train split and score it on the test split.

    Images are as evaluation sees them, without augmentation.
    """

    kind: Literal["fine_tune"] = "fine_tune"
    epochs: int = Field(10, ge=1)
    """Passes over the images. ELEVATER has 50."""
    batch: int = Field(64, ge=2)
    """Images of a step."""
    optimizer: _OptimizerField = Field({"kind": "adamw", "lr": 1e-5, "text_lr": 1e-3}, validate_default=True)
    """`lr` is the tower's rate and `text_lr` that of all else, here the head. ELEVATER has `sgd`."""
    schedule: _ScheduleField = Field({"kind": "cosine", "warmup": 0.1}, validate_default=True)
    """Of the rates. ELEVATER's are `constant`."""
    learns: Literal["all", "head"] = "all"
    """`head`: a linear probe that reads images again in every epoch, as ELEVATER's does."""
    norms: Literal["follow", "fixed"] = "follow"
    """Whether batch norms of a tower that does not learn follow the data, as in ELEVATER."""
    start: Literal["torch", "text"] = "torch"
    """First weights of the head: small random ones, or the directions of the classes' prompts."""
    shots: int = Field(-1, ge=-1)
    """Images of a class, drawn as in ELEVATER; -1: all there are."""
    search: bool = False
    """Search one rate and one weight decay for all on ELEVATER's grids: about 90 trainings of 10 epochs."""
    select_on: Literal["validation", "test"] = "validation"
    """`test`: score the epoch that is best on the scored rows, as ELEVATER. Else the last one."""

    default_benchmarks = ("digits",)
    usual = False

    @field_validator("optimizer")
    @classmethod
    def _one_rate_for_the_tower(cls, optimizer: OptimizerSpec) -> OptimizerSpec:
        if optimizer.layer_decay is not None:
            raise ValueError("layer_decay is for training; here all of the tower has one rate")
        return optimizer

    @property
    def variant(self) -> str:
        """See `ProbeSpec`."""
        parts: list[str] = [] if self.learns == "all" else [self.learns]
        parts += [] if self.shots == -1 else [f"{self.shots}shot"]
        parts += ["text"] if self.start == "text" else []
        return "_".join(parts)

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        if self.start == "text" and not (benchmark.classes and benchmark.templates):
            return "has no prompts to start from"
        return needs_train_split(benchmark)

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:  # noqa: ARG002
        """See `ProbeSpec`."""
        assert benchmark.train is not None
        assert benchmark.test is not None
        start = prompt_directions(benchmark, embedder) if self.start == "text" else None
        trial = _Trial(embedder, class_count(benchmark), start, seed)
        train = self._drawn(benchmark.train, trial.classes, seed)
        tuning = self._tuning()
        if self.search:
            tuning = self._searched(tuning, train, benchmark, trial)
        best, logits = -1.0, np.empty(0, np.float32)
        for epoch, now in enumerate(trial(train, benchmark.test, tuning, every=self.select_on == "test")):
            value = primary(now, benchmark.test, benchmark.metric)
            if self.select_on != "test" or value > best or epoch == 0:
                best, logits = value, now
        if not np.isfinite(logits).all():
            raise ProtoclipError(
                "the scores after fine-tuning are not finite", hint="use a smaller learning rate"
            )
        for judged in judge(logits, benchmark.test, benchmark.metric, seed):
            yield Finding(
                split=benchmark.split,
                metric=judged.metric,
                value=judged.value,
                n=len(logits),
                ci95=judged.ci95,
                outcomes=judged.outcomes,
                classes=trial.classes,
                selection="test" if self.select_on == "test" else "validation" if self.search else "none",
            )

    def _tuning(self) -> Tuning:
        return Tuning(
            epochs=self.epochs,
            batch=self.batch,
            optimizer=self.optimizer,
            schedule=self.schedule,
            learns=self.learns,
            norms_follow=self.norms == "follow",
        )

    def _drawn(self, train: Labelled, classes: int, seed: int) -> Labelled:
        if self.shots == -1:
            return train
        return take(train, few_shot(classes_of(train), classes, max(self.shots, 2), seed))

    def _searched(self, tuning: Tuning, train: Labelled, benchmark: Benchmark, trial: _Trial) -> Tuning:
        rest, held = part_for_validation(classes_of(train), trial.classes)
        fit, validation = take(train, rest), take(train, held)

        def with_setting(rate: float, decay: float) -> Tuning:
            optimizer = self.optimizer.model_copy(update={"lr": rate, "text_lr": None, "weight_decay": decay})
            return replace(tuning, optimizer=optimizer)

        def scores(tries: Sequence[Try]) -> list[float]:
            return [score(ELEVATER_RATES[rate], ELEVATER_DECAYS[decay]) for rate, decay in tries]

        def score(rate: float, decay: float) -> float:
            short = replace(with_setting(rate, decay), epochs=ELEVATER_EPOCHS)
            try:
                every = list(trial(fit, validation, short, every=True))
            except ProtoclipError:  # a rate that is too high is a bad setting, not the end of the search
                return 0.0
            return max(primary(logits, validation, benchmark.metric) for logits in every)

        (rate, decay), value = search(len(ELEVATER_RATES), scores, len(ELEVATER_DECAYS))
        if not value:
            raise ProtoclipError("no setting of the search learned anything", hint="set `search: false`")
        return with_setting(ELEVATER_RATES[rate], ELEVATER_DECAYS[decay])


class _Trial:
    """Trainings from the same start, each of a fresh copy of the tower."""

    def __init__(
        self, embedder: Embedder, classes: int, start: NDArray[np.float64] | None, seed: int
    ) -> None:
        self.classes = classes
        self._embedder, self._seed = embedder, seed
        self._start: Tensor | None = None if start is None else torch.from_numpy(start)

    def __call__(
        self, train: Labelled, test: Labelled, tuning: Tuning, *, every: bool
    ) -> Iterator[NDArray[np.float32]]:
        """Logits of the test rows, after every epoch or after the last."""
        tower = self._embedder.tunable()
        width = self._embedder.images(train.images, train.rows[:1]).shape[1]
        model = Classifier(tower.module, width, self.classes, self._seed, self._start).to(tower.device)
        for epoch, tuned in enumerate(tune(model, tower, train, tuning, seed=self._seed), 1):
            if every or epoch == tuning.epochs:
                yield logits_of(tuned, tower, test, tuning.batch)


def take(split: Labelled, positions: Sequence[int]) -> Labelled:
    """Some rows of a split."""
    chosen = np.array(positions, np.int64)
    targets = None if split.targets is None else split.targets[chosen]
    return Labelled(split.images, split.rows[chosen], split.labels[chosen], targets)

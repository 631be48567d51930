"""What a probe is."""

from __future__ import annotations

import hashlib
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.core.spec import Spec
from protoclip_cli.data.benchmarks import BenchmarkRef
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.judging import misfit
from protoclip_cli.evaluation.score import Score, Selection

Note = Callable[[str], None]
"""Takes one sentence for the user."""


def unheard(_message: str) -> None:
    """A note to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a probe measured: the fields of a score that only the probe knows."""

    split: str
    metric: str
    value: float
    higher_is_better: bool = True
    n: int
    ci95: tuple[float, float] | None = None
    classes: int | None = None
    prompts_hash: str | None = None
    selection: Selection = "none"
    outcomes: NDArray[np.float32] | None = None
    """(n,), what each example contributes: the value is their mean. None: it is not a mean over examples."""


class ProbeSpec(Spec, ABC):
    """A way to evaluate, and how a recipe names it."""

    kind: str
    every: int | None = Field(None, gt=0)
    """Episodes between two runs while training. Left out: as often as the recipe evaluates."""
    benchmarks: list[BenchmarkRef] | None = None
    """Names of benchmarks, or mappings with a `kind` for data of your own. Left out: those of the probe."""

    default_benchmarks: ClassVar[tuple[str, ...]]
    usual: ClassVar[bool] = True
    """Whether the probe runs where nobody names probes. Not if it trains for long, or its data
    is never there by itself."""

    @property
    def variant(self) -> str:
        """What tells these settings from the usual ones, for the names of metrics. Empty: nothing."""
        return ""

    @property
    def refs(self) -> Sequence[BenchmarkRef]:
        """The benchmarks it is asked to run on."""
        return self.default_benchmarks if self.benchmarks is None else self.benchmarks

    @abstractmethod
    def refuses(self, benchmark: Benchmark) -> str | None:
        """Why this probe cannot run on a benchmark, as the end of a sentence. None: it can."""

    @abstractmethod
    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterable[Finding]:
        """Measure on a benchmark that is not refused."""

    def run(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note = unheard) -> list[Score]:
        """Score a model on a benchmark.

        Args:
            benchmark: what to evaluate on.
            embedder: the model.
            seed: of every choice that is left to chance.
            note: is told what the user should know, such as a fit that did not converge.

        Raises:
            DataError: the probe cannot run on this benchmark.
            ProtoclipError: the features of the model are not finite.
        """
        if reason := self.refuses(benchmark):
            raise DataError(f"{self.kind} cannot run on {benchmark.name}: it {reason}")
        began = time.perf_counter()
        findings = list(self.measure(benchmark, embedder, seed, note))
        if variant := self.variant:
            findings = [replace(finding, metric=f"{finding.metric}@{variant}") for finding in findings]
        seconds = round(time.perf_counter() - began, 3)
        return [
            Score(
                probe=self.kind,
                benchmark=benchmark.name,
                model_hash=embedder.model_hash,
                transform=embedder.transform,
                precision=embedder.precision,
                seed=seed,
                seconds=seconds,
                **{field.name: getattr(finding, field.name) for field in fields(finding)},
            )
            for finding in findings
        ]


def digest(texts: Sequence[str]) -> str:
    """Twelve letters that change when one of the texts does.

    >>> digest(["a", "b"]) == digest(["ab"])
    False
    """
    return hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()[:12]


def needs_train_split(benchmark: Benchmark) -> str | None:
    """Why a probe that learns from the train split cannot run, as the end of a sentence. None: it can."""
    if benchmark.test is None:
        return "has no labelled images"
    if benchmark.train is None:
        return "has no train split"
    if benchmark.train.targets is None and len(np.unique(benchmark.train.labels)) < 2:
        return "has one class only in its train split"
    return misfit(benchmark, benchmark.train, benchmark.test)

"""Few-shot linear probe: what a linear head learns from a few images of each class, as in ELEVATER.

Li et al., ELEVATER: A Benchmark and Toolkit for Evaluating Language-Augmented Visual Models, 2022.
https://arxiv.org/abs/2204.08790
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.evaluation.elevater_fit import Drawn, ElevaterFit, draw
from protoclip_cli.evaluation.embedder import Embedder, Features
from protoclip_cli.evaluation.head_fit import Task
from protoclip_cli.evaluation.judging import Judged, class_count, judge
from protoclip_cli.evaluation.learnable import Learnable
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec, needs_train_split
from protoclip_cli.evaluation.prompting import prompt_directions

Shots = Annotated[int, Field(ge=-1)]


class FewShotSpec(ProbeSpec):
    """Train a linear head on a few images of each class, drawn as ELEVATER draws them, for some seeds.

    Rate and weight decay are searched on a fifth of these images, and these then join for the last fit.
    """

    kind: Literal["few_shot"] = "few_shot"
    shots: tuple[Shots, ...] = (5,)
    """Images of a class, for each fit: ELEVATER has 5, 20 and 50; -1: all there are."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the draws. The score without a seed in its name is their mean."""
    search: bool = True
    """Search learning rate and weight decay. False: take those below."""
    rate: float = Field(0.1, gt=0)
    """Learning rate, where it is not searched."""
    decay: float = Field(1e-6, ge=0)
    """Weight decay, where it is not searched."""
    search_rows: int | None = Field(10_000, gt=0)
    """Images the search looks at, at most. ELEVATER limits it for one data set."""
    start: Literal["torch", "text"] = "torch"
    """First weights of the head: small random ones, or the directions of the classes' prompts."""
    select_on: Literal["validation", "test"] = "validation"
    """`test`: score the epoch that is best on the scored rows, as ELEVATER. Else the one that is best
    on the rows of the search, or without a search the last one."""
    features: Features = "embedding"
    """`backbone`: before the projection into the shared space."""

    default_benchmarks = ("glyphs_script", "digits")
    usual = False

    @property
    def variant(self) -> str:
        """See `ProbeSpec`."""
        parts = [] if self.search else ["unsearched"]
        parts += ["text"] if self.start == "text" else []
        return "_".join(parts if self.features == "embedding" else [*parts, self.features])

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        if self.start == "text" and not (benchmark.classes and benchmark.templates):
            return "has no prompts to start from"
        return needs_train_split(benchmark)

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:
        """See `ProbeSpec`."""
        assert benchmark.test is not None
        classes = class_count(benchmark)
        for shots in self.shots:
            name = "full" if shots == -1 else f"{shots}shot"
            of_seeds: list[dict[str, Judged]] = []
            for draw_seed in self.seeds[:1] if shots == -1 else self.seeds:
                scores = self.logits(benchmark, embedder, shots, draw_seed, note)
                judged = list(judge(scores, benchmark.test, benchmark.metric, seed))
                of_seeds.append({one.metric: one for one in judged})
                for one in judged:
                    yield self._finding(benchmark, one, f"@{name}_seed{draw_seed}", classes)
            for metric in of_seeds[0]:
                mean = _mean([each[metric] for each in of_seeds])
                yield self._finding(benchmark, mean, f"@{name}", classes)

    def logits(
        self, benchmark: Benchmark, embedder: Embedder, shots: int, seed: int, note: Note
    ) -> NDArray[np.float32]:
        """The logits (n, C) of the test rows after one draw; a softmax gives probabilities.

        Args:
            benchmark: one that is not refused.
            embedder: the model.
            shots: images of each class; -1: all there are.
            seed: of the draw and of the fit.
            note: is told of classes with fewer images.

        Raises:
            ProtoclipError: no training gave a head that tells anything apart.
        """
        assert benchmark.train is not None
        assert benchmark.test is not None
        model = embedder if self.features == "embedding" else embedder.using(self.features)
        train, test = Learnable.of(benchmark.train, model), Learnable.of(benchmark.test, model)
        start = prompt_directions(benchmark, embedder) if self.start == "text" else None
        fit = ElevaterFit(
            rate=None if self.search else self.rate,
            decay=self.decay,
            search_rows=self.search_rows,
            best_on_test=self.select_on == "test",
            first_weight=None if start is None else torch.from_numpy(start.astype(np.float32)),
        )
        drawn = draw(train, class_count(benchmark), shots, seed)
        _tell(drawn, shots, note)
        return fit(drawn, test, Task(class_count(benchmark), benchmark.metric, seed))

    def _finding(self, benchmark: Benchmark, judged: Judged, suffix: str, classes: int) -> Finding:
        assert benchmark.test is not None
        unsearched = "none" if not self.search else "validation"
        return Finding(
            split=benchmark.split,
            metric=judged.metric + suffix,
            value=judged.value,
            n=len(benchmark.test.rows),
            ci95=judged.ci95,
            outcomes=judged.outcomes,
            classes=classes,
            selection="test" if self.select_on == "test" else unsearched,  # type: ignore[arg-type]
        )


def _tell(drawn: Drawn, shots: int, note: Note) -> None:
    if drawn.lacking and shots != -1:
        note(f"few_shot: {drawn.lacking} classes have fewer than {shots} training images")


def _mean(judged: Sequence[Judged]) -> Judged:
    """The mean over seeds. Its interval knows of both the test images and the seeds."""
    values = np.array([one.value for one in judged])
    mean = float(values.mean())
    intervals = [one.ci95 for one in judged if one.ci95 is not None]
    if len(intervals) < len(judged):
        return Judged(judged[0].metric, mean, None)
    of_seeds = 1.96 * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    below = math.hypot(mean - float(np.mean([low for low, _ in intervals])), of_seeds)
    above = math.hypot(float(np.mean([high for _, high in intervals])) - mean, of_seeds)
    return Judged(judged[0].metric, mean, (max(0.0, mean - below), min(1.0, mean + above)))

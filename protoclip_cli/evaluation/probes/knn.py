"""k-NN: the classes of the training images an image is nearest to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.evaluation.embedder import Embedder, Features
from protoclip_cli.evaluation.judging import class_count, judge
from protoclip_cli.evaluation.learnable import Learnable
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec, needs_train_split
from protoclip_cli.metrics.neighbours import neighbour_votes


class KnnSpec(ProbeSpec):
    """Classify images by a vote of the nearest training images. Nothing is fitted or chosen."""

    kind: Literal["knn"] = "knn"
    k: int = Field(20, ge=1)
    """How many vote."""
    temperature: float = Field(0.07, gt=0)
    """The smaller, the more the nearest count."""
    features: Features = "embedding"
    """`backbone`: before the projection into the shared space, as ITRA."""

    default_benchmarks = ("glyphs_script", "digits")

    @property
    def variant(self) -> str:
        """See `ProbeSpec`."""
        return "" if self.features == "embedding" else self.features

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        return needs_train_split(benchmark)

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:
        """See `ProbeSpec`. Five guesses mean nothing where few classes have a vote."""
        assert benchmark.train is not None
        assert benchmark.test is not None
        model = embedder if self.features == "embedding" else embedder.using(self.features)
        train, test = Learnable.of(benchmark.train, model), Learnable.of(benchmark.test, model)
        if len(train) < self.k:
            note(f"knn: all {len(train)} training images vote, because there are no {self.k}")
        classes = class_count(benchmark)
        weights = (
            np.eye(classes)[train.labels] if train.targets is None else (train.targets == 1).astype(float)
        )
        votes = neighbour_votes(
            train.features, weights, test.features, k=self.k, temperature=self.temperature
        )
        for judged in judge(votes, benchmark.test, benchmark.metric, seed, top5=False):
            yield Finding(
                split=benchmark.split,
                metric=judged.metric,
                value=judged.value,
                n=len(test),
                ci95=judged.ci95,
                outcomes=judged.outcomes,
                classes=classes,
            )

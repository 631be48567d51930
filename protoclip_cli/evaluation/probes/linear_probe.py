"""Linear probe: how much of the classes a straight cut through the image features finds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.logistic import fit_best
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec
from protoclip_cli.metrics import confidence
from protoclip_cli.metrics.classification import hits_per_class, mean_per_class_recall


class LinearProbeSpec(ProbeSpec):
    """Fit logistic regression to image features of the train split and score it on the test split.

    Its strength is chosen on a fifth of the train split, never on the test split. Features are standardised.
    """

    kind: Literal["linear_probe"] = "linear_probe"

    default_benchmarks = ("glyphs_script", "digits")

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        if benchmark.test is None:
            return "has no labelled images"
        if benchmark.train is None:
            return "has no train split"
        return None if len(np.unique(benchmark.train.labels)) > 1 else "has one class only in its train split"

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:
        """See `ProbeSpec`."""
        train, test = benchmark.train, benchmark.test
        assert train is not None
        assert test is not None
        predict, _ = fit_best(embedder.images(train.images, train.rows), train.labels, seed, note)
        correct = predict(embedder.images(test.images, test.rows)) == test.labels

        def finding(metric: str, value: float, interval: confidence.Interval) -> Finding:
            return Finding(
                split=benchmark.split,
                metric=metric,
                value=value,
                n=len(correct),
                ci95=interval,
                classes=len(benchmark.classes),
                selection="validation",
            )

        share = float(correct.mean())
        yield finding("top1", share, confidence.of_proportion(share, len(correct)))
        interval = confidence.of_class_mean(*hits_per_class(correct, test.labels))
        yield finding("mean_per_class", mean_per_class_recall(correct, test.labels), interval)

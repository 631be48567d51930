"""Zero-shot classification: the class whose prompts an image is nearest to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.prompts import Templates, fill
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec, digest
from protoclip_cli.metrics import confidence
from protoclip_cli.metrics.classification import hits_per_class, mean_per_class_recall, zero_shot_classifier
from protoclip_cli.metrics.ranking import ranks, within


class ZeroShotSpec(ProbeSpec):
    """Classify images by prompts, without training."""

    kind: Literal["zero_shot"] = "zero_shot"
    templates: Templates | None = None
    """Prompts with one `{}` each, instead of those of the benchmark."""

    default_benchmarks = (
        "glyphs_lower",
        "glyphs_upper",
        "glyphs_digits",
        "glyphs_script",
        "glyphs_category",
        "digits",
    )

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        if benchmark.unfitted is None:
            return "has no labelled images"
        if not benchmark.classes:
            return "has no class names"
        return None if self.templates or benchmark.templates else "has no prompt templates"

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:  # noqa: ARG002
        """See `ProbeSpec`. Accuracies come with Wilson's interval."""
        assert benchmark.unfitted is not None
        split, test = benchmark.unfitted
        templates = self.templates or benchmark.templates
        prompts = [fill(template, name) for name in benchmark.classes for template in templates]
        texts = embedder.texts(prompts)
        classifier = zero_shot_classifier(texts.reshape(len(benchmark.classes), len(templates), -1))
        found = ranks(embedder.images(test.images, test.rows), classifier, test.labels)

        def finding(metric: str, value: float, interval: confidence.Interval) -> Finding:
            return Finding(
                split=split,
                metric=metric,
                value=value,
                n=len(found),
                ci95=interval,
                classes=len(benchmark.classes),
                prompts_hash=digest(prompts),
            )

        for k in (1, 5):
            if k <= len(benchmark.classes):
                share = within(found, k)
                yield finding(f"top{k}", share, confidence.of_proportion(share, len(found)))
        correct = found == 0
        interval = confidence.of_class_mean(*hits_per_class(correct, np.asarray(test.labels)))
        yield finding("mean_per_class", mean_per_class_recall(correct, test.labels), interval)

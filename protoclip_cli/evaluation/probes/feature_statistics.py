"""Statistics of features: how far images are from texts, and how evenly both are spread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.compute.randomness import generator
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.prompts import fill
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec
from protoclip_cli.metrics import feature_statistics as statistics
from protoclip_cli.metrics.confidence import of_halves
from protoclip_cli.metrics.ranking import unit

_MOST = 2_000
"""Rows of a sample for the interval of a statistic that compares all rows with each other."""
_Rows = NDArray[np.float64]
_Statistic = Callable[[NDArray[np.int64]], float]
_SMALLER_IS_BETTER = frozenset({"alignment", "image_uniformity", "text_uniformity"})


class FeatureStatisticsSpec(ProbeSpec):
    """Modality gap, self-similarity, alignment, uniformity and spread of unit features.

    The text of an image is its first caption; where there are only classes, the first prompt of its class.
    """

    kind: Literal["feature_statistics"] = "feature_statistics"
    self_similarity: statistics.SelfSimilarity = "offdiag"
    """Over all pairs of different features, or as ProtoCLIP: over positive cosines, with itself included."""

    default_benchmarks = ("glyphs_names", "digits")

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        if benchmark.pairs is not None:
            return None if len(benchmark.pairs.rows) > 1 else "has fewer than two images"
        if benchmark.unfitted is None or not benchmark.classes or not benchmark.templates:
            return "has neither captions nor labelled images with prompts"
        return "has classes without one label" if benchmark.unfitted[1].targets is not None else None

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:  # noqa: ARG002
        """See `ProbeSpec`. Intervals come from random halves of the images, each with its text."""
        split, images, texts = _paired(benchmark, embedder)
        for name, (of, most) in self._statistics(images, texts).items():
            value = of(np.arange(len(images)))
            chance = generator(seed, "feature_statistics", len(images))
            yield Finding(
                split=split,
                metric=name,
                value=value,
                higher_is_better=name not in _SMALLER_IS_BETTER,
                n=len(images),
                ci95=of_halves(of, value, len(images), chance, most=most),
            )

    def _statistics(self, images: _Rows, texts: _Rows) -> dict[str, tuple[_Statistic, int | None]]:
        """Each statistic of the rows at some positions, and how many it can take for an interval."""
        suffix = "" if self.self_similarity == "offdiag" else "_protoclip"
        found: dict[str, tuple[_Statistic, int | None]] = {
            "modality_gap": (lambda rows: statistics.modality_gap(images[rows], texts[rows]), None),
            "alignment": (lambda rows: statistics.alignment(images[rows], texts[rows]), None),
            "paired_cosine": (lambda rows: statistics.paired_cosine(images[rows], texts[rows]), None),
        }
        for side, features in (("image", images), ("text", texts)):
            similar = partial(statistics.self_similarity, pairs=self.self_similarity)
            found[f"{side}_self_similarity{suffix}"] = (_of_rows(similar, features), _MOST)
            found[f"{side}_uniformity"] = (_of_rows(statistics.uniformity, features), _MOST)
            found[f"{side}_std"] = (_of_rows(statistics.spread, features), None)
        return found


def _of_rows(statistic: Callable[[_Rows], float], features: _Rows) -> _Statistic:
    return lambda rows: statistic(features[rows])


def _paired(benchmark: Benchmark, embedder: Embedder) -> tuple[str, _Rows, _Rows]:
    """The name of the split, features of images (n, D), and of one text for each (n, D)."""
    if (pairs := benchmark.pairs) is not None:
        _, first = np.unique(pairs.image_of_text, return_index=True)
        images, texts = embedder.images(pairs.images, pairs.rows), embedder.texts(pairs.texts)[first]
        return benchmark.split, unit(images, "images"), unit(texts, "texts")
    assert benchmark.unfitted is not None
    split, test = benchmark.unfitted
    prompts = embedder.texts([fill(benchmark.templates[0], name) for name in benchmark.classes])
    images = embedder.images(test.images, test.rows)
    return split, unit(images, "images"), unit(prompts, "texts")[test.labels]

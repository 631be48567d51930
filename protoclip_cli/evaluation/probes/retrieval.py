"""Retrieval: find the captions of an image, and the image of a caption."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec
from protoclip_cli.metrics.confidence import of_proportion
from protoclip_cli.metrics.ranking import within
from protoclip_cli.metrics.retrieval import CUTS, retrieval_ranks


class RetrievalSpec(ProbeSpec):
    """Rank captions for images and images for captions."""

    kind: Literal["retrieval"] = "retrieval"

    default_benchmarks = ("glyphs_names",)

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        if benchmark.pairs is None or not len(benchmark.pairs.texts):
            return "has no captions"
        if len(np.unique(benchmark.pairs.image_of_text)) < len(benchmark.pairs.rows):
            return "has images without a caption"
        return None

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:  # noqa: ARG002
        """See `ProbeSpec`.

        Captions of one image may be right or wrong together, and so may the six recalls. Every interval is
        therefore that of as many independent outcomes as there are images.
        """
        assert benchmark.pairs is not None
        pairs = benchmark.pairs
        if empty := sum(not text.strip() for text in pairs.texts):
            note(
                f"retrieval: {empty} of {len(pairs.texts)} captions are empty and find no image but by chance"
            )
        found = retrieval_ranks(
            embedder.images(pairs.images, pairs.rows), embedder.texts(pairs.texts), pairs.image_of_text
        )
        images, texts = len(pairs.rows), len(pairs.texts)

        def finding(metric: str, value: float, n: int, right: NDArray[np.bool_] | None = None) -> Finding:
            outcomes = None if right is None else right.astype(np.float32)
            interval = of_proportion(value, images)
            return Finding(
                split=benchmark.split, metric=metric, value=value, n=n, ci95=interval, outcomes=outcomes
            )

        for k in CUTS:
            ranks = found.image_to_text
            yield finding(f"image_to_text_recall@{k}", within(ranks, k), images, ranks < k)
        for k in CUTS:
            ranks = found.text_to_image
            # Captions of one image are right or wrong together, so they are no examples of their own.
            alone = ranks < k if texts == images else None
            yield finding(f"text_to_image_recall@{k}", within(ranks, k), texts, alone)
        yield finding("mean_recall", found.mean_recall, images)

"""Triplets: whether a sentence lies nearer to one of its own section than to one of another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.data.benchmarks.text_tasks import Triplets
from protoclip_cli.evaluation.embedder import Embedder, embed_once
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec
from protoclip_cli.metrics.confidence import of_proportion
from protoclip_cli.metrics.similarity import Similarity
from protoclip_cli.metrics.triplets import closer

_MEASURES: tuple[Similarity, ...] = ("cosine", "manhattan", "euclidean")


class TripletsProbeSpec(ProbeSpec):
    """Count the anchors that lie nearer to their positive than to their negative.

    `accuracy` is by cosine. `accuracy_max` is the best of three measures, which is what sentence-transformers
    and ITRA report; it is chosen on the test data.
    """

    kind: Literal["triplets"] = "triplets"
    chunk: int = Field(20_000, gt=0)
    """Triplets embedded at a time."""

    default_benchmarks = ("wiki_sections",)
    usual = False

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        return None if isinstance(benchmark.texts, Triplets) else "has no triplets"

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:  # noqa: ARG002
        """See `ProbeSpec`."""
        task = benchmark.texts
        assert isinstance(task, Triplets)
        n = len(task.anchor)
        right = {measure: np.zeros(n, bool) for measure in _MEASURES}
        for start in range(0, n, self.chunk):
            part = slice(start, start + self.chunk)
            sides = embed_once(embedder, task.anchor[part], task.positive[part], task.negative[part])
            for measure in _MEASURES:
                right[measure][part] = closer(sides[0], sides[1], sides[2], measure)
        shares = {measure: float(values.mean()) for measure, values in right.items()}
        for measure, share in shares.items():
            yield Finding(
                split=benchmark.split,
                metric="accuracy" if measure == "cosine" else f"accuracy_{measure}",
                value=share,
                n=n,
                ci95=of_proportion(share, n),
            )
        best = max(shares.values())
        yield Finding(split=benchmark.split, metric="accuracy_max", value=best, n=n, selection="test")

"""Clustering: whether images of a class lie together, without being told the classes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.compute.randomness import generator, key
from protoclip_cli.data.benchmarks.base import Benchmark
from protoclip_cli.evaluation.embedder import Embedder
from protoclip_cli.evaluation.probes.base import Finding, Note, ProbeSpec
from protoclip_cli.evaluation.threads import sized_threads
from protoclip_cli.metrics.clustering import (
    adjusted_mutual_information,
    adjusted_rand_index,
    normalized_mutual_information,
)
from protoclip_cli.metrics.confidence import of_halves
from protoclip_cli.metrics.ranking import unit

_RESTARTS = 5
_ITERATIONS = 100

_Labels = NDArray[np.int64]
_AGREEMENT: dict[str, Callable[[_Labels, _Labels], float]] = {
    "ami": adjusted_mutual_information,
    "ari": adjusted_rand_index,
    "nmi": normalized_mutual_information,
}


class ClusteringSpec(ProbeSpec):
    """Compare k-means clusters of image features with the classes."""

    kind: Literal["clustering"] = "clustering"

    default_benchmarks = ("glyphs_script", "digits")

    def refuses(self, benchmark: Benchmark) -> str | None:
        """See `ProbeSpec`."""
        if benchmark.unfitted is None:
            return "has no labelled images"
        _, test = benchmark.unfitted
        if test.targets is not None:
            return "has images of several classes"
        return None if len(test.rows) > len(benchmark.classes) else "has no more images than classes"

    def measure(self, benchmark: Benchmark, embedder: Embedder, seed: int, note: Note) -> Iterator[Finding]:
        """See `ProbeSpec`. Intervals say what other images would change, not another start of k-means."""
        assert benchmark.unfitted is not None
        split, test = benchmark.unfitted
        features = unit(embedder.images(test.images, test.rows), "images")
        clusters = cluster(features, len(benchmark.classes), seed, note)
        for metric, of in _AGREEMENT.items():
            value = of(test.labels, clusters)
            halves = of_halves(
                _of_rows(of, test.labels, clusters),
                value,
                len(clusters),
                generator(seed, "clustering/halves"),
                low=min(0.0, value),
                high=1.0,
            )
            yield Finding(
                split=split,
                metric=metric,
                value=value,
                n=len(test.rows),
                ci95=halves,
                classes=len(benchmark.classes),
            )


def _of_rows(
    of: Callable[[_Labels, _Labels], float], labels: _Labels, clusters: _Labels
) -> Callable[[_Labels], float]:
    return lambda rows: of(labels[rows], clusters[rows])


def cluster(features: NDArray[np.float64], k: int, seed: int, note: Note) -> NDArray[np.int64]:
    """The cluster of every row, by k-means as the originals run it: 100 iterations, the best of 5 starts."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    kmeans = KMeans(k, n_init=_RESTARTS, max_iter=_ITERATIONS, random_state=key(seed, "clustering") % 2**32)
    with warnings.catch_warnings(), sized_threads(features.size * k):
        warnings.simplefilter("ignore", ConvergenceWarning)
        clusters = np.asarray(kmeans.fit_predict(features.astype(np.float32)), np.int64)
    if (occupied := len(np.unique(clusters))) < k:
        note(f"clustering: {k} clusters were asked for, but only {occupied} features differ")
    return clusters

"""Clusters of the rows that pictures show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_STARTS = 3


@dataclass(frozen=True, slots=True)
class Clusters:
    """Which rows belong together. Cluster 0 is the largest."""

    labels: NDArray[np.int64]
    """(n,)."""
    nearness: NDArray[np.float32]
    """(n,), the cosine of each row with the prototype of its cluster."""

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(k,), falling."""
        return np.bincount(self.labels)

    def nearest(self, cluster: int, most: int) -> NDArray[np.int64]:
        """The members of a cluster that are nearest to its prototype, nearest first."""
        members = np.flatnonzero(self.labels == cluster)
        return members[np.argsort(-self.nearness[members], kind="stable")[:most]]


def find_clusters(features: NDArray[np.float32], k: int, seed: int) -> Clusters:
    """Cluster by k-means; the same rows give the same clusters.

    By this process alone, so that a picture can be drawn while others wait.

    Args:
        features: (n, D), unit length.
        k: how many clusters. Where fewer rows differ, there are fewer.
        seed: of the starts.

    >>> rows = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    >>> find_clusters(rows, 2, 0).labels
    array([0, 0, 1])
    """
    from sklearn.cluster import KMeans

    k = min(k, len(np.unique(features.round(6), axis=0)))
    if k < 2:
        labels = np.zeros(len(features), np.int64)
    else:
        labels = KMeans(k, n_init=_STARTS, random_state=seed).fit(features).labels_.astype(np.int64)
    sizes = np.bincount(labels, minlength=max(k, 1))
    place = np.empty(len(sizes), np.int64)
    place[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    labels = place[labels]
    sums = np.zeros((len(sizes), features.shape[1]), np.float32)
    np.add.at(sums, labels, features)
    prototypes = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return Clusters(labels, (features * prototypes[labels]).sum(axis=1))

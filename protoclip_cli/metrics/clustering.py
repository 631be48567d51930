"""How well clusters agree with labels, whatever the clusters are called."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def adjusted_mutual_information(labels: NDArray[np.int64], clusters: NDArray[np.int64]) -> float:
    """Shared information above chance, over the mean of both entropies.

    >>> adjusted_mutual_information(np.array([0, 0, 1, 1]), np.array([5, 5, 2, 2]))
    1.0
    """
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(labels, clusters))


def adjusted_rand_index(labels: NDArray[np.int64], clusters: NDArray[np.int64]) -> float:
    """The share of pairs that both treat alike, above chance.

    >>> adjusted_rand_index(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    -0.5
    """
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(labels, clusters))


def normalized_mutual_information(labels: NDArray[np.int64], clusters: NDArray[np.int64]) -> float:
    """Shared information over the mean of both entropies. Grows with the number of clusters by chance alone.

    >>> normalized_mutual_information(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    0.0
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(labels, clusters))


def cluster_shape(rows: NDArray[np.float32], clusters: NDArray[np.int64]) -> dict[str, float | None]:
    """How compact clusters are, and how far from one another. None where there are too few of them.

    Args:
        rows: (n, d).
        clusters: (n,), the cluster of each.

    Returns:
        `silhouette` in [-1, 1], larger is better; `davies_bouldin`, smaller is better; `calinski_harabasz`,
        larger is better.

    >>> rows = np.array([[0.0], [0.1], [5.0], [5.1]], np.float32)
    >>> round(cluster_shape(rows, np.array([0, 0, 1, 1]))["silhouette"], 2)
    0.98
    """
    from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

    if not 1 < len(np.unique(clusters)) < len(rows):
        return dict.fromkeys(("silhouette", "davies_bouldin", "calinski_harabasz"))
    return {
        "silhouette": float(silhouette_score(rows, clusters)),
        "davies_bouldin": float(davies_bouldin_score(rows, clusters)),
        "calinski_harabasz": float(calinski_harabasz_score(rows, clusters)),
    }

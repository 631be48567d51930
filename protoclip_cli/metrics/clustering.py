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

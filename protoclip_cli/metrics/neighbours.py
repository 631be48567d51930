"""Classification by the nearest training rows.

Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination, 2018.
https://arxiv.org/abs/1805.01978
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.metrics.ranking import Floats, cosines, unit

_SCORES = 2**23


def neighbour_votes(
    train: Floats,
    weights: Floats,
    queries: Floats,
    *,
    k: int = 20,
    temperature: float = 0.07,
    chunk: int | None = None,
) -> NDArray[np.float64]:
    """The votes of the k nearest training rows: each casts exp(cosine / temperature) for its classes.

    Args:
        train: (m, D), any length.
        weights: (m, C), what a row votes for: 1 for its class, 0 for others.
        queries: (n, D), any length.
        k: how many vote; all where there are fewer. Of equally near ones the first.
        temperature: the smaller, the more the nearest count.
        chunk: how many queries are scored at once. None: as many as make eight million scores.

    Returns:
        (n, C). The votes of a query share an unknown factor, so that no temperature overflows.

    Raises:
        ProtoclipError: a feature is not finite.

    >>> train = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
    >>> neighbour_votes(train, np.eye(2)[[0, 0, 1]], np.array([[1.0, 0.0]]), k=2, temperature=1.0).round(2)
    array([[1.99, 0.  ]])
    """
    known, asked = unit(train, "training images"), unit(queries, "images")
    k, chunk = min(k, len(known)), chunk or max(1, _SCORES // len(known))
    votes = np.empty((len(asked), weights.shape[1]))
    for start in range(0, len(asked), chunk):
        scores = cosines(asked[start : start + chunk], known)
        nearest = _largest(scores, k)
        near = np.take_along_axis(scores, nearest, axis=1) / 2**24
        strength = np.exp((near - near.max(axis=1, keepdims=True)) / temperature)
        votes[start : start + chunk] = np.einsum("qk,qkc->qc", strength, weights[nearest])
    return votes


def _largest(scores: NDArray[np.int32], k: int) -> NDArray[np.int64]:
    """The columns of the k largest of each row, the first of equal ones, in any order."""
    columns = scores.shape[1]
    # Whole numbers leave room for the column below them, which makes all entries different.
    keys = scores.astype(np.int64) * columns - np.arange(columns)
    return np.argpartition(keys, columns - k, axis=1)[:, columns - k :]

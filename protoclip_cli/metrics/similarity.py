"""How alike the two sides of each pair are: four measures, larger is more alike."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.metrics.ranking import Floats, unit

Similarity = Literal["cosine", "manhattan", "euclidean", "dot"]
SIMILARITIES: tuple[Similarity, ...] = get_args(Similarity)


def similarities(first: Floats, second: Floats, measure: Similarity = "cosine") -> NDArray[np.float64]:
    """The similarity of each pair.

    Cosines are rounded to 2**-24, the precision of float32: two pairs of equal sentences must tie, and the
    last bits of a sum depend on how it was made.

    Args:
        first: (n, D), any length.
        second: (n, D), any length.
        measure: a distance counts as a similarity with its sign turned.

    Returns:
        (n,).

    Raises:
        ProtoclipError: a feature is not finite.

    >>> first, second = np.array([[3.0, 0.0], [0.0, 2.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    >>> [similarities(first, second, measure).tolist() for measure in SIMILARITIES]
    [[1.0, 0.0], [-2.0, -3.0], [-2.0, -2.23606797749979], [3.0, 0.0]]
    """
    unit_first, unit_second = unit(first, "texts"), unit(second, "texts")
    if measure == "cosine":
        return np.asarray(np.rint((unit_first * unit_second).sum(axis=1) * 2**24) / 2**24)
    left, right = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if measure == "dot":
        return np.asarray((left * right).sum(axis=1))
    if measure == "manhattan":
        return np.asarray(-np.abs(left - right).sum(axis=1))
    return np.asarray(-np.sqrt(((left - right) ** 2).sum(axis=1)))

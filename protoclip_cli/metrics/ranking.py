"""Where the right candidate stands among all candidates.

Retrieval and zero-shot classification ask one question: how many candidates come before the right one? It is
answered for a chunk of queries at a time, so that memory grows with the chunk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.core.errors import ProtoclipError

Floats = NDArray[np.float32] | NDArray[np.float64]


def unit(features: Floats, what: str = "features") -> NDArray[np.float64]:
    """The features at unit length. A row of zeros stays one.

    Args:
        features: (n, D), any length.
        what: what they are, for the message.

    Raises:
        ProtoclipError: one is not finite. Counting what scores higher than NaN would make it the best model.

    >>> unit(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    values = np.asarray(features, np.float64)
    if bad := int((~np.isfinite(values)).any(axis=1).sum()):
        raise ProtoclipError(
            f"{bad} of {len(values)} {what} are not finite, so no score can be computed from them",
            hint="the model has diverged or its precision overflowed: use an earlier checkpoint, or fp32",
        )
    length: NDArray[np.float64] = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.maximum(length, 1e-12)


def cosines(queries: NDArray[np.float64], candidates: NDArray[np.float64]) -> NDArray[np.int32]:
    """Cosines in steps of 2**-24, the precision of float32.

    They are summed in float64 and then rounded. The last bits of a product depend on where in the matrix it
    stands, so that equal candidates would not tie, and ranks would depend on the chunk.

    Args:
        queries: (c, D), unit length.
        candidates: (m, D), unit length.

    Returns:
        (c, m), from -2**24 to 2**24.
    """
    products = queries @ candidates.T
    products *= 2**24
    return np.rint(products, out=products).astype(np.int32)


def places(scores: NDArray[np.int32] | Floats, target: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many candidates come before the right one. Of equal scores the lower column comes first.

    Args:
        scores: (c, m).
        target: (c,), the column of the right candidate.

    Returns:
        (c,), from 0.

    >>> places(np.array([[5, 9, 5]], np.int32), np.array([2]))
    array([2])
    """
    own: NDArray[Any] = np.take_along_axis(scores, target[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < target[:, None]
    before: NDArray[np.int64] = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
    return before


def ranks(
    queries: Floats, candidates: Floats, target: NDArray[np.int64], chunk: int = 512
) -> NDArray[np.int64]:
    """The rank of the right candidate of every query, by cosine.

    Args:
        queries: (n, D), any length.
        candidates: (m, D), any length.
        target: (n,), the position of the right candidate.
        chunk: how many queries are scored at once.

    Returns:
        (n,), from 0 for the best.
    """
    unit_queries, unit_candidates = unit(queries, "queries"), unit(candidates, "candidates")
    found = np.empty(len(unit_queries), np.int64)
    for start in range(0, len(found), chunk):
        part = slice(start, start + chunk)
        found[part] = places(cosines(unit_queries[part], unit_candidates), target[part])
    return found


def within(found: NDArray[np.int64], k: int) -> float:
    """The share of queries whose right candidate is among the k best: recall@k, or top-k accuracy.

    Args:
        found: (n,), ranks from 0.
        k: how many guesses are allowed.

    >>> within(np.array([0, 3, 5, 9]), 5)
    0.5
    """
    return float((found < k).mean())

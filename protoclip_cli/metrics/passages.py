"""Passage retrieval: the best passages of every query, found chunk by chunk, and what they are worth.

A corpus of nine million passages does not fit into memory, so it comes in chunks and only the best of all
chunks so far are kept. Of equal scores the passage that comes first in the corpus wins, whatever the chunks.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.metrics.ranking import Floats, cosines, unit

Measure = Literal["cosine", "dot"]
Relevance = NDArray[np.bool_]
_LOW = (1 << 32) - 1
_BLOCK = 1 << 23
"""Scores made at a time; 16 bytes each."""


class BestPassages:
    """The best passages so far of every query."""

    def __init__(self, queries: Floats, measure: Measure, keep: int = 100) -> None:
        """Start with no passage.

        Args:
            queries: (q, D), any length.
            measure: how a passage is scored.
            keep: how many are remembered for each query.

        Raises:
            ProtoclipError: a feature is not finite.
        """
        directions = unit(queries, "queries")
        self._queries = directions if measure == "cosine" else np.asarray(queries, np.float64)
        self._measure = measure
        self._keep = keep
        self._best = np.empty((len(queries), 0), np.int64)

    def add(self, passages: Floats, first: int) -> None:
        """See the next passages.

        Args:
            passages: (c, D), any length.
            first: the row of the first of them in the corpus, below 2**32 and above all rows seen.

        Raises:
            ProtoclipError: a feature is not finite.
        """
        directions = unit(passages, "passages")
        candidates = directions if self._measure == "cosine" else np.asarray(passages, np.float64)
        step = max(1, _BLOCK // max(1, len(passages)))
        kept = []
        for start in range(0, len(self._queries), step):
            best = self._best[start : start + step]
            keys = self._promising(self._scores(self._queries[start : start + step], candidates), best, first)
            kept.append(_highest(np.concatenate([best, keys], axis=1), self._keep))
        self._best = np.concatenate(kept)

    def _promising(self, scores: NDArray[np.int32], best: NDArray[np.int64], first: int) -> NDArray[np.int64]:
        """Keys of the passages that may be among the best, and keys lower than any where there are fewer.

        A score and its row are one integer: greater is a higher score or, of equal ones, an earlier row. Rows
        only rise, so a passage must have a higher score than the worst of the best to take its place.
        """
        if best.shape[1] < self._keep:
            last = _LOW - (first + np.arange(scores.shape[1], dtype=np.int64))
            return (scores.astype(np.int64) << 32) | last
        better = scores > (best.min(axis=1) >> 32)[:, None]
        query, column = np.nonzero(better)
        counts = better.sum(axis=1)
        place = np.arange(len(query)) - np.repeat(np.cumsum(counts) - counts, counts)
        keys = np.full((len(best), int(counts.max())), np.iinfo(np.int64).min)
        keys[query, place] = (scores[query, column].astype(np.int64) << 32) | (_LOW - (first + column))
        return keys

    def rows(self) -> NDArray[np.int64]:
        """The rows of the best passages, the best first: (q, at most `keep`)."""
        return _LOW - (-np.sort(-self._best, axis=1) & _LOW)

    def _scores(self, queries: NDArray[np.float64], passages: NDArray[np.float64]) -> NDArray[np.int32]:
        if self._measure == "cosine":
            return cosines(queries, passages)
        bits = ((queries @ passages.T).astype(np.float32) + np.float32(0)).view(np.int32)  # no -0.0
        # IEEE floats are ordered like integers, but for the negative ones, which run backwards.
        bits ^= (bits >> 31) & np.int32(2**31 - 1)
        return bits


def _highest(keys: NDArray[np.int64], keep: int) -> NDArray[np.int64]:
    """The highest keys of every row, in any order."""
    if keys.shape[1] <= keep:
        return keys
    return np.partition(keys, keys.shape[1] - keep, axis=1)[:, -keep:]


def accuracy_at(relevant: Relevance, k: int) -> NDArray[np.float64]:
    """Whether one of the k best is relevant: (q,), from relevance (q, found), the best first.

    >>> accuracy_at(np.array([[False, True]]), 1), accuracy_at(np.array([[False, True]]), 2)
    (array([0.]), array([1.]))
    """
    return np.asarray(relevant[:, :k].any(axis=1), np.float64)


def precision_at(relevant: Relevance, k: int) -> NDArray[np.float64]:
    """The share of k places that a relevant passage takes: (q,). A place without a passage is wrong.

    >>> precision_at(np.array([[False, True]]), 10)
    array([0.1])
    """
    return np.asarray(relevant[:, :k].sum(axis=1) / k)


def recall_at(relevant: Relevance, judged: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """The share of a query's relevant passages that are among the k best: (q,).

    Args:
        relevant: (q, found).
        judged: (q,), how many relevant passages each query has, at least one.
        k: how many places count.

    >>> recall_at(np.array([[False, True]]), np.array([4]), 10)
    array([0.25])
    """
    return np.asarray(relevant[:, :k].sum(axis=1) / judged)


def reciprocal_rank_at(relevant: Relevance, k: int) -> NDArray[np.float64]:
    """One over the place of the first relevant passage, 0 if it is not among the k best: (q,).

    >>> reciprocal_rank_at(np.array([[False, True], [False, False]]), 10)
    array([0.5, 0. ])
    """
    inside = relevant[:, :k]
    return np.where(inside.any(axis=1), 1 / (inside.argmax(axis=1) + 1), 0.0)


def ndcg_at(relevant: Relevance, judged: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Gains of 1 / log2(place + 1), over those of the best order possible: (q,).

    Jarvelin and Kekalainen, Cumulated Gain-based Evaluation of IR Techniques, 2002.
    https://doi.org/10.1145/582415.582418

    Args:
        relevant: (q, found).
        judged: (q,), how many relevant passages each query has, at least one.
        k: how many places count.

    >>> ndcg_at(np.array([[False, True]]), np.array([1]), 10).round(3)
    array([0.631])
    """
    gains = 1 / np.log2(np.arange(2, k + 2))
    inside = relevant[:, :k]
    ideal = np.cumsum(gains)[np.minimum(judged, k) - 1]
    return np.asarray((inside * gains[: inside.shape[1]]).sum(axis=1) / ideal)


def average_precision_at(relevant: Relevance, judged: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """The mean of the precisions at the places of relevant passages, over min(k, relevant ones): (q,).

    Args:
        relevant: (q, found).
        judged: (q,), how many relevant passages each query has, at least one.
        k: how many places count.

    >>> average_precision_at(np.array([[True, False, True]]), np.array([2]), 100).round(3)
    array([0.833])
    """
    inside = relevant[:, :k]
    precisions = np.cumsum(inside, axis=1) / np.arange(1, inside.shape[1] + 1)
    return np.asarray((precisions * inside).sum(axis=1) / np.minimum(judged, k))

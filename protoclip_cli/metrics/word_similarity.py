"""Whether words are as alike as people say, when each word may stand in several sentences."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.metrics.classification import zero_shot_classifier
from protoclip_cli.metrics.correlation import spearman
from protoclip_cli.metrics.ranking import Floats
from protoclip_cli.metrics.similarity import similarities

Averaging = Literal["ensemble", "mean_cosine", "pooled"]
"""`ensemble`: a word is the mean direction of its sentences. `mean_cosine`: a pair is as alike as its
sentences are on average. `pooled`: every sentence of a pair counts as a pair, which is ITRA's way."""


def word_cosines(left: Floats, right: Floats, averaging: Averaging) -> NDArray[np.float64]:
    """How alike the words of each pair are.

    Args:
        left: (n, T, D), any length, the T sentences of each first word; T = 1 for the word alone.
        right: (n, T, D).
        averaging: how sentences become one number.

    Returns:
        (n,), or for `pooled` (n, T).

    Raises:
        ProtoclipError: a feature is not finite.

    >>> pair = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    >>> other = pair[:, ::-1]
    >>> word_cosines(pair, other, "ensemble").round(3), word_cosines(pair, other, "mean_cosine")
    (array([1.]), array([0.]))
    """
    if averaging == "ensemble":
        return similarities(zero_shot_classifier(left), zero_shot_classifier(right))
    pairs, sentences, width = left.shape
    each = similarities(left.reshape(-1, width), right.reshape(-1, width)).reshape(pairs, sentences)
    return each if averaging == "pooled" else np.asarray(each.mean(axis=1))


def word_correlation(cosines: NDArray[np.float64], gold: NDArray[np.float64]) -> float:
    """The rank correlation of cosines with the scores of people.

    Args:
        cosines: (n,), or (n, T) with the score of each row standing for all its columns.
        gold: (n,).
    """
    return spearman(cosines.reshape(-1), np.repeat(gold, cosines.size // len(gold)))

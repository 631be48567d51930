"""Average precision of multi-label classification, by each convention in use.

For one class, images are sorted from the highest score to the lowest. Precision and recall after each give:

* `voc07`: the mean over the recall levels 0, 0.1, ... 1 of the highest precision at that recall or beyond, as
  the development kit of VOC 2007.
* `elevater11`: the same on a curve that begins at recall 0 with precision 1, so that its first term is
  always 1.
* `clip_benchmark`: the mean over positives of the precision at their place. Of equal scores the earlier row
  comes first. A class without a positive scores 0 and counts.
* `full`: the same, with equal scores taken together, as scikit-learn. A class without a positive is left out.

ELEVATER computes its own on the softmax over classes, even where these do not exclude one another.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.metrics.ranking import Floats

Convention = Literal["voc07", "elevater11", "clip_benchmark", "full"]
Difficult = Literal["ignore", "positive", "negative"]
"""What a difficult object is: left out of the class (VOC), found or not found."""
_SLACK = 1e-9
"""Recall 3 / 10 reaches level 0.30000000000000004."""


def average_precision(scores: Floats, positive: NDArray[np.bool_], convention: Convention = "full") -> float:
    """Average precision of one class. NaN without a positive, but for `clip_benchmark`.

    Args:
        scores: (n,), larger for positives.
        positive: (n,).
        convention: see the module.

    >>> scores, positive = np.array([0.9, 0.8, 0.7]), np.array([False, True, True])
    >>> [round(average_precision(scores, positive, c), 3) for c in ("voc07", "elevater11", "full")]
    [0.667, 0.697, 0.583]
    """
    total = int(positive.sum())
    if total == 0:
        return 0.0 if convention == "clip_benchmark" else float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(positive[order])
    precision = hits / np.arange(1, len(hits) + 1)
    if convention == "clip_benchmark":
        return float(precision[positive[order]].mean())
    ordered = scores[order]
    ends = np.append(np.flatnonzero(np.diff(ordered)), len(hits) - 1)  # the last of equal scores
    recall, precision = hits[ends] / total, precision[ends]
    if convention == "full":
        return float((np.diff(recall, prepend=0.0) * precision).sum())
    best = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(recall, np.arange(11) / 10 - _SLACK)
    at_levels = best[reached]
    if convention == "elevater11":
        at_levels[0] = 1.0
    return float(at_levels.mean())


def class_average_precisions(
    scores: Floats,
    targets: NDArray[np.int8],
    convention: Convention = "full",
    difficult: Difficult = "ignore",
) -> NDArray[np.float64]:
    """Average precision of every class.

    Args:
        scores: (n, C).
        targets: (n, C), 1 positive, 0 negative, -1 difficult.
        convention: see the module.
        difficult: what -1 means.

    Returns:
        (C,), see `average_precision`.
    """
    values = np.empty(scores.shape[1])
    for column in range(len(values)):
        target = targets[:, column]
        kept = target >= 0 if difficult == "ignore" else np.ones(len(target), np.bool_)
        positive = target[kept] != 0 if difficult == "positive" else target[kept] == 1
        values[column] = average_precision(scores[kept, column], positive, convention)
    return values


def mean_average_precision(
    scores: Floats,
    targets: NDArray[np.int8],
    convention: Convention = "full",
    difficult: Difficult = "ignore",
) -> float:
    """The mean over classes of average precision. NaN where no class has a positive. See the module.

    >>> mean_average_precision(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[1, 0], [0, 0]], np.int8))
    1.0
    """
    values = class_average_precisions(scores, targets, convention, difficult)
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")

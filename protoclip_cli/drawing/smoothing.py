"""A curve through noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def smoothed(values: NDArray[np.float64], window: float) -> NDArray[np.float64]:
    """The mean of what came before, each value counting less the older it is, and none for more than it is.

    Exponential averages start at zero; dividing by the sum of the weights so far takes that out.

    Args:
        values: (n,). NaN counts for nothing and stays NaN.
        window: the age, in values, at which a value counts 1/e.

    >>> smoothed(np.array([2.0, 2.0, np.nan, 2.0]), 5.0)
    array([ 2.,  2., nan,  2.])
    """
    keep = float(np.exp(-1 / max(window, 1e-9)))
    total = weight = 0.0
    found = np.full(len(values), np.nan)
    for place, value in enumerate(values):
        total, weight = keep * total, keep * weight
        if np.isfinite(value):
            total, weight = total + value, weight + 1.0
            found[place] = total / weight
    return found

"""How well two lists of numbers agree in order or in value, in one piece or subset by subset."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Pooling = Literal["all", "mean", "wmean"]
"""`all`: one correlation over everything. `mean`: of the subsets' correlations. `wmean`: weighted by size."""


def pearson(first: Values, second: Values) -> float:
    """The linear correlation. A side without any spread goes with nothing: 0.

    Args:
        first: (n,), n >= 2.
        second: (n,).

    >>> round(pearson(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 9.0])), 3)
    0.918
    >>> pearson(np.array([1.0, 2.0, 3.0]), np.array([5.0, 5.0, 5.0]))
    0.0
    """
    if is_constant(first) or is_constant(second):
        return 0.0
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1, 1))


def spearman(first: Values, second: Values) -> float:
    """The correlation of ranks; equal values share the mean of their ranks.

    Spearman, The Proof and Measurement of Association between Two Things, 1904.
    https://doi.org/10.2307/1412159

    Args:
        first: (n,), n >= 2.
        second: (n,).

    >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 9.0])), 3)
    1.0
    """
    from scipy.stats import rankdata

    return pearson(rankdata(first), rankdata(second))


def is_constant(values: Values) -> bool:
    """Whether there is no order in the values.

    >>> is_constant(np.array([2.0, 2.0]))
    True
    """
    return bool((values == values[0]).all())


def by_subset(first: Values, second: Values, subset: NDArray[np.int64]) -> tuple[Values, NDArray[np.int64]]:
    """The rank correlation within each subset, and how many pairs each has.

    Args:
        first: (n,).
        second: (n,).
        subset: (n,), which subset each pair is of.

    Returns:
        Two arrays (S,), in the order of the subsets' numbers.
    """
    parts = [subset == number for number in np.unique(subset)]
    values = np.array([spearman(first[part], second[part]) for part in parts])
    return values, np.array([int(part.sum()) for part in parts])


def pooled(values: Values, sizes: NDArray[np.int64], pooling: Literal["mean", "wmean"]) -> float:
    """The mean of the subsets' correlations.

    Args:
        values: (S,).
        sizes: (S,).
        pooling: every subset alike, or every pair alike.

    >>> pooled(np.array([0.2, 0.8]), np.array([30, 10]), "wmean")
    0.35
    """
    return float(np.average(values, weights=sizes if pooling == "wmean" else None))


def rounded_average(fractions: NDArray[np.float64]) -> float:
    """The mean of scores rounded to hundredths of a percent, as tables of sentence similarity print it.

    >>> round(rounded_average(np.array([0.700049, 0.800049])), 6)
    0.75
    """
    return float(np.mean(np.round(100 * fractions, 2)) / 100)

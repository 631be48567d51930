"""What a few seeds tell: Student's interval of a mean, and the paired t-test.

Student, The Probable Error of a Mean, 1908. https://doi.org/10.1093/biomet/6.1.1
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from protoclip_cli.metrics.confidence import Interval

_NO_SPREAD = 1e-12


@dataclass(frozen=True, slots=True)
class Paired:
    """A mean difference of pairs."""

    mean: float
    ci95: Interval | None
    """None: one pair says nothing about the others."""
    p: float | None
    """How often chance alone gives a mean as far from 0. None: one pair, or all differ by the same."""
    n: int
    over: str = "seeds"
    """What the interval is over: `seeds`, or `examples` of a single pair of runs."""


def of_few(values: ArrayLike) -> Interval | None:
    """Student's 95 % interval of the mean of independent values, None for fewer than two.

    Args:
        values: (n,), any unit.

    >>> [round(end, 3) for end in of_few([1.0, 2.0, 3.0])]
    [-0.484, 4.484]
    >>> of_few([1.0]) is None
    True
    """
    from scipy.special import stdtrit

    found = np.asarray(values, np.float64)
    if len(found) < 2:
        return None
    mean = float(found.mean())
    half = float(stdtrit(len(found) - 1, 0.975)) * _error(found)
    return mean - half, mean + half


def paired(values: ArrayLike, baseline: ArrayLike) -> Paired:
    """How much values lie above those they are paired with: the paired t-test, two-sided.

    Args:
        values: (n,), n at least 1.
        baseline: (n,), in the same order.

    >>> found = paired([3.0, 4.0, 6.0], [1.0, 3.0, 3.0])
    >>> found.mean, round(found.p, 3), found.n
    (2.0, 0.074, 3)
    """
    from scipy.special import stdtr

    differences = np.asarray(values, np.float64) - np.asarray(baseline, np.float64)
    mean, n = float(differences.mean()), len(differences)
    error = _error(differences) if n > 1 else 0.0
    if error <= _NO_SPREAD:  # t would be a division by zero, or by rounding
        return Paired(mean, of_few(differences), None, n)
    return Paired(mean, of_few(differences), 2 * float(stdtr(n - 1, -abs(mean) / error)), n)


def _error(values: np.ndarray) -> float:
    """The standard error of the mean of (n,) values."""
    return float(values.std(ddof=1)) / math.sqrt(len(values))

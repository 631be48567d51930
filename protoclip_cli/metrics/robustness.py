"""Effective robustness: accuracy under a shift beyond what the accuracy without it predicts.

Taori et al., Measuring Robustness to Natural Distribution Shifts in Image Classification, 2020.
https://arxiv.org/abs/2007.00644
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from protoclip_cli.core.errors import DataError


@dataclass(frozen=True, slots=True)
class Trend:
    """logit(shifted accuracy) = slope * logit(accuracy) + intercept."""

    slope: float
    intercept: float

    def expected(self, accuracy: float) -> float:
        """The shifted accuracy of a model on the trend.

        >>> Trend(1.0, 0.0).expected(0.75).__round__(9)
        0.75
        """
        logit = self.slope * float(_logit(accuracy)) + self.intercept
        return float(1 / (1 + np.exp(-logit)))

    def effective_robustness(self, accuracy: float, shifted: float) -> float:
        """How far a model is above the trend.

        Args:
            accuracy: a fraction, without the shift.
            shifted: a fraction, under it.
        """
        return shifted - self.expected(accuracy)


def fit_trend(accuracy: ArrayLike, shifted: ArrayLike) -> Trend:
    """The line through reference models, by least squares of the logits.

    Args:
        accuracy: (m,), fractions, at least two different ones.
        shifted: (m,), fractions.

    Raises:
        DataError: there are too few models, or an accuracy is not between 0 and 1.

    >>> trend = fit_trend([0.5, 0.75], [0.25, 0.5])
    >>> round(trend.slope, 6), round(trend.intercept, 6)
    (1.0, -1.098612)
    """
    x, y = _logit(accuracy), _logit(shifted)
    if len(np.unique(x)) < 2:
        raise DataError(
            "a trend needs at least two reference models of different accuracy",
            hint="add reference models to the table",
        )
    slope, intercept = np.polyfit(x, y, 1)
    return Trend(float(slope), float(intercept))


def _logit(share: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(share, np.float64)
    if not ((values > 0) & (values < 1)).all():
        raise DataError(
            "an accuracy of a reference table must lie between 0 and 1, both excluded",
            hint="write fractions, not percent, and leave models with 0 or all right out",
        )
    return np.log(values / (1 - values))

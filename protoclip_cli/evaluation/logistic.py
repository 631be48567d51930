"""Logistic regression on frozen features, with its strength chosen on held-out rows of the training split."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.compute.randomness import generator
from protoclip_cli.evaluation.threads import sized_threads

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
"""Values of C tried, from the strongest regularisation to the weakest, for standardised features."""
_SEARCH_ROWS = 10_000
_VALIDATION = 0.2
_ITERATIONS = 200


@dataclass(frozen=True, slots=True)
class Scaling:
    """Zero mean and unit variance per dimension, as the training rows have it.

    L-BFGS needs a few dozen iterations on such features, whatever the scale of the model's, and one grid of
    strengths serves all models. It keeps the length of a feature, which unit length would throw away.
    """

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, features: NDArray[np.float32]) -> Scaling:
        """Learn it from features (n, D)."""
        scale = features.std(axis=0, dtype=np.float64)
        scale[scale < 1e-8 * max(float(scale.max()), 1e-30)] = 1.0  # a dead dimension stays at zero
        return cls(features.mean(axis=0, dtype=np.float64).astype(np.float32), scale.astype(np.float32))

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Apply it to features (n, D)."""
        return (features - self.mean) / self.scale


def hold_out(
    labels: NDArray[np.int64], share: float, seed: int, rows: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions to fit on and positions to validate on, each class divided alike.

    Args:
        labels: (n,).
        share: how much of each class is held out. A class of one row is not.
        seed: of the choice.
        rows: use about this many in all. None: all.

    Returns:
        Two arrays of positions, in rising order.
    """
    chance = generator(seed, "linear_probe/hold_out")
    use = 1.0 if rows is None else min(1.0, rows / len(labels))
    fit, held = [], []
    for label in np.unique(labels):
        members = chance.permutation(np.flatnonzero(labels == label))
        members = members[: max(min(len(members), 2), round(use * len(members)))]
        cut = 0 if len(members) == 1 else max(1, round(share * len(members)))
        held.append(members[:cut])
        fit.append(members[cut:])
    return np.sort(np.concatenate(fit)), np.sort(np.concatenate(held))


def fit_best(
    features: NDArray[np.float32], labels: NDArray[np.int64], seed: int, note: Callable[[str], None]
) -> tuple[Callable[[NDArray[np.float32]], NDArray[np.int64]], float]:
    """Choose the strength on held-out rows, then fit on all rows.

    The search uses at most about 10,000 rows. It goes from strong to weak, each fit starting where the last
    one ended. Of equal strengths the strongest regularisation wins.

    Args:
        features: (n, D), any length.
        labels: (n,), at least two different ones.
        seed: of the rows held out.
        note: is told when a fit stops before it converged.

    Returns:
        What predicts the labels of features, and C.
    """
    fit, held = hold_out(labels, _VALIDATION, seed, _SEARCH_ROWS)
    best, c = -1.0, STRENGTHS[0]
    if len(held):
        scaling = Scaling.of(features[fit])
        inputs, held_inputs = scaling(features[fit]), scaling(features[held])
        model = _regression(STRENGTHS[0])
        unfinished = []
        for strength in STRENGTHS:
            if not _fit(model.set_params(C=strength), inputs, labels[fit]):
                unfinished.append(f"{strength:g}")
            if (accuracy := float((model.predict(held_inputs) == labels[held]).mean())) > best:
                best, c = accuracy, strength
        if unfinished:
            note(f"linear_probe: {_ITERATIONS} iterations were too few to search C = {', '.join(unfinished)}")
    scaling = Scaling.of(features)
    model = _regression(c)
    if not _fit(model, scaling(features), labels):
        note(
            f"linear_probe: the final fit (C = {c:g}) stopped at {_ITERATIONS} iterations before it converged"
        )
    return lambda more: np.asarray(model.predict(scaling(more)), np.int64), c


def _regression(c: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=c, max_iter=_ITERATIONS, warm_start=True)


def _fit(model: Any, features: NDArray[np.float32], labels: NDArray[np.int64]) -> bool:
    """Fit, and say whether it converged."""
    from sklearn.exceptions import ConvergenceWarning

    work = features.size * len(np.unique(labels))
    with warnings.catch_warnings(record=True) as caught, sized_threads(work):
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(features, labels)
    return not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)

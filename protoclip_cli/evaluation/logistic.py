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
_PLAIN_ITERATIONS = 1000


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
    rest, held = [], []
    for label in np.unique(labels):
        members = chance.permutation(np.flatnonzero(labels == label))
        members = members[: max(min(len(members), 2), round(use * len(members)))]
        cut = 0 if len(members) == 1 or not share else max(1, round(share * len(members)))
        held.append(members[:cut])
        rest.append(members[cut:])
    return np.sort(np.concatenate(rest)), np.sort(np.concatenate(held))


class Logistic:
    """A regression that was fitted. Calling it predicts labels."""

    def __init__(self, model: Any, prepare: Callable[[NDArray[np.float32]], NDArray[Any]]) -> None:
        """Keep what predicts.

        Args:
            model: of scikit-learn.
            prepare: what it wants done to features.
        """
        self._model = model
        self._prepare = prepare

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.int64]:
        """The labels (n,) of features (n, D)."""
        return np.asarray(self._model.predict(self._prepare(features)), np.int64)

    def scores(self, features: NDArray[np.float32], classes: int) -> NDArray[np.float64]:
        """The logits (n, C) of features (n, D). A class that was not there to learn from has -inf."""
        found = np.asarray(self._model.decision_function(self._prepare(features)), np.float64)
        if found.ndim == 1:
            found = np.stack([np.zeros_like(found), found], axis=1)
        scores = np.full((len(found), classes), -np.inf)
        scores[:, self._model.classes_] = found
        return scores


def fit_best(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    seed: int,
    note: Callable[[str], None],
    validation: tuple[NDArray[np.float32], NDArray[np.int64]] | None = None,
    *,
    refit: bool = True,
) -> tuple[Logistic, float]:
    """Choose the strength on held-out rows, then fit on all rows.

    The search uses at most about 10,000 rows. It goes from strong to weak, each fit starting where the last
    one ended. Of equal strengths the strongest regularisation wins.

    Args:
        features: (n, D), any length.
        labels: (n,), at least two different ones.
        seed: of the rows held out.
        note: is told when a fit stops before it converged.
        validation: features and labels to choose on, None: a fifth of each class.
        refit: give these rows to the last fit too.

    Returns:
        What predicts the labels of features, and C.
    """
    if validation is None:
        rows, held = hold_out(labels, _VALIDATION, seed, _SEARCH_ROWS)
        judge_on = (features[held], labels[held])
    else:
        rows, _ = hold_out(labels, 0.0, seed, _SEARCH_ROWS)
        judge_on = validation
    fit_on = (features[rows], labels[rows])
    if validation is not None and refit:
        features, labels = np.concatenate([features, judge_on[0]]), np.concatenate([labels, judge_on[1]])
    c = _search(fit_on, judge_on, note) if len(judge_on[0]) else STRENGTHS[0]
    scaling = Scaling.of(features)
    model = regression(c)
    if not fit(model, scaling(features), labels):
        note(
            f"linear_probe: the final fit (C = {c:g}) stopped at {_ITERATIONS} iterations before it converged"
        )
    return Logistic(model, scaling), c


_Rows = tuple[NDArray[np.float32], NDArray[np.int64]]


def _search(fit_on: _Rows, judge_on: _Rows, note: Callable[[str], None]) -> float:
    """The strength that is best on other rows."""
    best, c = -1.0, STRENGTHS[0]
    scaling = Scaling.of(fit_on[0])
    inputs, held_inputs = scaling(fit_on[0]), scaling(judge_on[0])
    model = regression(STRENGTHS[0])
    unfinished = []
    for strength in STRENGTHS:
        if not fit(model.set_params(C=strength), inputs, fit_on[1]):
            unfinished.append(f"{strength:g}")
        if (accuracy := float((model.predict(held_inputs) == judge_on[1]).mean())) > best:
            best, c = accuracy, strength
    if unfinished:
        note(f"linear_probe: {_ITERATIONS} iterations were too few to search C = {', '.join(unfinished)}")
    return c


def fit_plain(
    features: NDArray[np.float32], labels: NDArray[np.int64], c: float, note: Callable[[str], None]
) -> Logistic:
    """Fit with a given strength on features as they are, in float64, as ProtoCLIP and ITRA use scikit-learn.

    In float32 predictions near a boundary depend on the width of C.

    Args:
        features: (n, D), any length.
        labels: (n,), at least two different ones.
        c: the strength; smaller is stronger. The originals' are 0.316 and one for each data set.
        note: is told when the fit stops before it converged.
    """

    def widened(features: NDArray[np.float32]) -> NDArray[np.float64]:
        return features.astype(np.float64)

    model = regression(c, _PLAIN_ITERATIONS)
    if not fit(model, widened(features), labels):
        note(
            f"linear_probe: the fit (C = {c:g}) stopped at {_PLAIN_ITERATIONS} iterations before it converged"
        )
    return Logistic(model, widened)


def regression(c: float, iterations: int | None = None) -> Any:
    """A regression of scikit-learn that goes on from its last fit."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=c, max_iter=iterations or _ITERATIONS, warm_start=True)


def fit(model: Any, features: NDArray[Any], labels: NDArray[Any]) -> bool:
    """Fit, and say whether it converged."""
    from sklearn.exceptions import ConvergenceWarning

    work = features.size * len(np.unique(labels))
    with warnings.catch_warnings(record=True) as caught, sized_threads(work):
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(features, labels)
    return not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)

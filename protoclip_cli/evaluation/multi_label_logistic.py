"""Logistic regression where an image may show several classes: one regression a class, one strength."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.compute.randomness import generator
from protoclip_cli.evaluation.logistic import STRENGTHS, Scaling, fit, regression
from protoclip_cli.metrics.average_precision import mean_average_precision

Targets = NDArray[np.int8]


class MultiLabelLogistic:
    """One regression a class. Difficult objects are left out of the fit of their class."""

    def __init__(self, features: NDArray[np.float32], targets: Targets, c: float) -> None:
        """Fit.

        Args:
            features: (n, D), any length.
            targets: (n, C), 1 positive, 0 negative, -1 difficult.
            c: the strength; smaller is stronger.
        """
        self._scaling = Scaling.of(features)
        inputs = self._scaling(features)
        self._models = [self._one(inputs, targets[:, column], c) for column in range(targets.shape[1])]
        self.unfinished = sum(not finished for _, finished in self._models)

    @staticmethod
    def _one(inputs: NDArray[np.float32], target: NDArray[np.int8], c: float) -> tuple[Any, bool]:
        known = target >= 0
        if len(np.unique(target[known])) < 2:
            return None, True
        model = regression(c)
        return model, fit(model, inputs[known], target[known])

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """The logits (n, C). Those of a class with nothing to learn from are 0."""
        inputs = self._scaling(features)
        nothing = np.zeros(len(inputs))
        columns = [model.decision_function(inputs) if model else nothing for model, _ in self._models]
        return np.stack(columns, axis=1)


def fit_best_multi_label(
    features: NDArray[np.float32],
    targets: Targets,
    seed: int,
    note: Callable[[str], None],
    validation: tuple[NDArray[np.float32], Targets] | None = None,
    *,
    refit: bool = True,
) -> tuple[MultiLabelLogistic, float]:
    """Choose the strength by mean average precision on held-out rows, then fit on all rows.

    Args:
        features: (n, D), any length.
        targets: (n, C), see `MultiLabelLogistic`.
        seed: of the rows held out.
        note: is told when fits stop before they converged.
        validation: rows to choose on, None: a fifth of the others.
        refit: give these rows to the last fit too.

    Returns:
        The regressions and C.
    """
    if validation is None:
        order = generator(seed, "linear_probe/hold_out").permutation(len(features))
        held, rest = np.sort(order[: len(order) // 5]), np.sort(order[len(order) // 5 :])
        fit_on, judge_on = (features[rest], targets[rest]), (features[held], targets[held])
    else:
        fit_on, judge_on = (features, targets), validation
        if refit:
            features = np.concatenate([features, validation[0]])
            targets = np.concatenate([targets, validation[1]])
    best, c = -1.0, STRENGTHS[0]
    for strength in STRENGTHS:
        scores = MultiLabelLogistic(*fit_on, strength).scores(judge_on[0])
        if (value := mean_average_precision(scores, judge_on[1])) > best:
            best, c = value, strength
    model = MultiLabelLogistic(features, targets, c)
    if model.unfinished:
        note(
            f"linear_probe: the fits of {model.unfinished} classes (C = {c:g}) stopped before they converged"
        )
    return model, c

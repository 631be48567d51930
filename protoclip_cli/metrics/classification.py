"""Classification by prompts, and what share of it is right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.metrics.ranking import Floats, unit


def zero_shot_classifier(prompts: Floats) -> NDArray[np.float64]:
    """One direction per class: every prompt at unit length, their mean, at unit length again.

    CLIP: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021.
    https://arxiv.org/abs/2103.00020

    Args:
        prompts: (C, T, D), any length, the T prompts of each class.

    Returns:
        (C, D), unit length.

    >>> zero_shot_classifier(np.array([[[2.0, 0.0], [0.0, 1.0]]])).round(3)
    array([[0.707, 0.707]])
    """
    classes, templates, width = prompts.shape
    each = unit(prompts.reshape(-1, width), "prompts").reshape(classes, templates, width)
    return unit(each.mean(axis=1), "classes")


def hits_per_class(
    correct: NDArray[np.bool_], labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many of each class are right, and how many there are. Classes with no image are left out.

    Args:
        correct: (n,).
        labels: (n,).

    Returns:
        Two arrays (classes present,).
    """
    _, position, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return np.bincount(position, weights=correct, minlength=len(sizes)).astype(np.int64), sizes


def mean_per_class_recall(correct: NDArray[np.bool_], labels: NDArray[np.int64]) -> float:
    """The mean over classes of the share that is right.

    >>> mean_per_class_recall(np.array([True, True, True, False]), np.array([0, 0, 0, 4]))
    0.5
    """
    hits, sizes = hits_per_class(correct, labels)
    return float((hits / sizes).mean())

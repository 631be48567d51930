"""Classification by prompts, and what share of it is right."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.metrics.ranking import Floats, unit

PromptAverage = Literal["normalized", "raw"]
"""Whether prompts are brought to unit length before they are averaged, or only their mean is, as in ITRA."""
Absent = Literal["drop", "undefined", "delete"]
"""What becomes of classes without an image when recall is averaged over classes. See `class_mean`."""


def zero_shot_classifier(prompts: Floats, average: PromptAverage = "normalized") -> NDArray[np.float64]:
    """One direction per class: every prompt at unit length, their mean, at unit length again.

    CLIP: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021.
    https://arxiv.org/abs/2103.00020

    Args:
        prompts: (C, T, D), any length, the T prompts of each class.
        average: `raw` leaves the first step out, so that long embeddings weigh more.

    Returns:
        (C, D), unit length.

    >>> zero_shot_classifier(np.array([[[2.0, 0.0], [0.0, 1.0]]])).round(3)
    array([[0.707, 0.707]])
    >>> zero_shot_classifier(np.array([[[2.0, 0.0], [0.0, 1.0]]]), "raw").round(3)
    array([[0.894, 0.447]])
    """
    classes, templates, width = prompts.shape
    return class_directions(prompts.reshape(-1, width), np.repeat(np.arange(classes), templates), average)


def class_directions(
    prompts: Floats, class_of_prompt: NDArray[np.int64], average: PromptAverage = "normalized"
) -> NDArray[np.float64]:
    """One direction per class, as `zero_shot_classifier`, where classes may have any number of prompts.

    Args:
        prompts: (m, D), any length.
        class_of_prompt: (m,), from 0; every class up to the largest has a prompt.
        average: see `zero_shot_classifier`.

    Returns:
        (C, D), unit length.

    Raises:
        ValueError: a class has no prompt.
        ProtoclipError: a prompt is not finite.

    >>> class_directions(np.array([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0]]), np.array([0, 0, 1])).round(3)
    array([[0.707, 0.707],
           [0.   , 1.   ]])
    """
    directions = unit(prompts, "prompts")
    if average == "raw":
        directions = np.asarray(prompts, np.float64)
    counts = np.bincount(class_of_prompt)
    if not counts.all():
        raise ValueError("every class needs a prompt")
    sums = np.zeros((len(counts), prompts.shape[1]))
    np.add.at(sums, class_of_prompt, directions)
    return unit(sums / counts[:, None], "classes")


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


def class_mean(scores: Floats, labels: NDArray[np.int64], absent: Absent = "drop") -> float:
    """The mean over classes of the share whose best score is that of their class.

    Args:
        scores: (n, C), larger is better. Of equal ones the first wins.
        labels: (n,).
        absent: classes without an image are left out of the mean (`drop`, as scikit-learn and
            CLIP_benchmark); make it NaN where one was predicted (`undefined`, as clip-rocket); or cannot be
            predicted, which makes the task easier (`delete`, as ELEVATER).

    >>> scores, labels = np.array([[3.0, 1.0, 2.0], [1.0, 2.0, 3.0]]), np.array([0, 1])
    >>> [class_mean(scores, labels, absent) for absent in ("drop", "undefined", "delete")]
    [0.5, nan, 1.0]
    """
    present = np.unique(labels)
    if absent == "delete":
        scores = scores[:, present]
        return mean_per_class_recall(present[scores.argmax(axis=1)] == labels, labels)
    predicted = scores.argmax(axis=1)
    if absent == "undefined" and not np.isin(predicted, present).all():
        return float("nan")
    return mean_per_class_recall(predicted == labels, labels)


def roc_auc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """The chance that a positive scores above a negative; equal scores count half.

    For two classes the score is the difference of both, or the softmax of the second: the raw score of one
    class alone is another, wrong, number.

    Args:
        scores: (n,), larger for positives.
        positive: (n,), of both kinds.

    >>> roc_auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    0.75
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(positive, scores))

"""ELEVATER's few training images: which, and which of them validate.

ELEVATER: Li et al., ELEVATER: A Benchmark and Toolkit for Evaluating Language-Augmented Visual Models, 2022.
https://arxiv.org/abs/2204.08790
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_VALIDATION = 0.2

Labels = Sequence[Sequence[int]]
"""The classes of every image: one, several, or none for an image of nothing."""


class Truth(Protocol):
    """What is true about rows: a `Labelled` or a `Learnable`."""

    @property
    def labels(self) -> NDArray[np.int64]:
        """(n,)."""

    @property
    def targets(self) -> NDArray[np.int8] | None:
        """(n, C), see `Labelled`."""


def classes_of(truth: Truth) -> list[list[int]]:
    """The classes of every row. Difficult ones are none, as for ELEVATER."""
    if truth.targets is None:
        return [[int(label)] for label in truth.labels]
    return [np.flatnonzero(row == 1).tolist() for row in truth.targets]


def few_shot(labels: Labels, classes: int, shots: int, seed: int) -> list[int]:
    """A few images of every class, as ELEVATER draws them.

    Images are looked at in an order shuffled by Python's own generator. One is taken if one of its classes
    still lacks images, unless too many of another would come along: its rarest class must have at most half
    of the shots or its most frequent at most one and a half times as many. With one class an image, every
    class gets min(shots, all it has).

    Args:
        labels: of all training images.
        classes: how many there are.
        shots: images of each class; at most as many images without a class are taken too.
        seed: ELEVATER's are 0, 1 and 2.

    Returns:
        Positions, in the order they were taken.

    >>> few_shot([[0], [0], [0], [1]], 2, 1, seed=0)
    [2, 3]
    """
    order = list(range(len(labels)))
    random.Random(seed).shuffle(order)
    counts, without, taken = [0] * classes, 0, []
    for position in order:
        own = labels[position]
        if not own:
            if without < shots:
                without += 1
                taken.append(position)
            continue
        rarest, commonest = min(counts[c] for c in own), max(counts[c] for c in own)
        if rarest >= shots or not (rarest <= shots / 2 or commonest <= 1.5 * shots):
            continue
        taken.append(position)
        for c in own:
            counts[c] += 1
        if min(counts) >= shots:
            break
    return taken


def part_for_validation(labels: Labels, classes: int) -> tuple[list[int], list[int]]:
    """A fifth of every class, rounded up, from the front, as ELEVATER validates its settings.

    Class by class, images are taken until a fifth of the images of the class are. Nothing is left to chance.

    Args:
        labels: of the images that `few_shot` drew, in its order.
        classes: how many there are.

    Returns:
        Positions to fit on and positions to validate on, in rising order.

    >>> part_for_validation([[0], [1], [0], [1], [0], [0]], 2)
    ([2, 3, 4, 5], [0, 1])
    """
    totals, held = [0] * classes, [0] * classes
    for own in labels:
        for c in own:
            totals[c] += 1
    validation: set[int] = set()
    for c, total in enumerate(totals):
        for position, own in enumerate(labels):
            if held[c] >= math.ceil(_VALIDATION * total):
                break
            if c in own and position not in validation:
                validation.add(position)
                for other in own:
                    held[other] += 1
    return [p for p in range(len(labels)) if p not in validation], sorted(validation)

"""How features of images and texts lie on the sphere.

* Modality gap: Liang et al., Mind the Gap, 2022. https://arxiv.org/abs/2203.02053
* Alignment and uniformity: Wang and Isola, Understanding Contrastive Representation Learning through
  Alignment and Uniformity on the Hypersphere, 2020. https://arxiv.org/abs/2005.10242

All take features of unit length in float64, as `metrics.ranking.unit` makes them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
SelfSimilarity = Literal["offdiag", "protoclip"]


def modality_gap(images: Rows, texts: Rows) -> float:
    """The distance between the mean image (n, D) and the mean text (m, D).

    >>> modality_gap(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])).__round__(3)
    1.414
    """
    return float(np.linalg.norm(images.mean(axis=0) - texts.mean(axis=0)))


def self_similarity(rows: Rows, pairs: SelfSimilarity = "offdiag", chunk: int = 1024) -> float:
    """The mean cosine of two rows.

    Args:
        rows: (n, D), at least two.
        pairs: `offdiag`: of all pairs of different rows. `protoclip`: of the pairs with a positive cosine, a
            row with itself included, which is larger.
        chunk: how many rows are compared with all others at once.

    >>> rows = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    >>> round(self_similarity(rows), 3), round(self_similarity(rows, "protoclip"), 3)
    (-0.333, 1.0)
    """
    n = len(rows)
    if pairs == "offdiag":
        return float((np.square(rows.sum(axis=0)).sum() - np.square(rows).sum()) / (n * (n - 1)))
    total, count = 0.0, 0
    for start in range(0, n, chunk):
        products = rows[start : start + chunk] @ rows.T
        positive = products > 0
        total += float(products[positive].sum())
        count += int(positive.sum())
    return total / count if count else 0.0


def alignment(images: Rows, texts: Rows, power: float = 2.0) -> float:
    """The mean distance between an image and its text, to a power; smaller is better.

    Args:
        images: (n, D).
        texts: (n, D), one for each image.
        power: of each distance.

    >>> alignment(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])).__round__(9)
    2.0
    """
    return float((np.linalg.norm(images - texts, axis=1) ** power).mean())


def uniformity(rows: Rows, t: float = 2.0, chunk: int = 1024) -> float:
    """Log of the mean of exp(-t squared distance) over pairs of different rows; smaller is more even.

    Args:
        rows: (n, D), at least two.
        t: how fast far pairs stop to count.
        chunk: how many rows are compared with all others at once.

    >>> round(uniformity(np.array([[1.0, 0.0], [-1.0, 0.0]])), 9)
    -8.0
    """
    n, total = len(rows), 0.0
    square = np.square(rows).sum(axis=1)
    for start in range(0, n, chunk):
        part = rows[start : start + chunk]
        away = square[start : start + chunk, None] + square - 2 * part @ rows.T
        weight = np.exp(-t * away)
        weight[np.arange(len(part)), np.arange(start, start + len(part))] = 0.0
        total += float(weight.sum())
    with np.errstate(divide="ignore"):
        return float(np.log(total / (n * (n - 1))))


def spread(rows: Rows) -> float:
    """The mean over dimensions of the standard deviation over rows (n, D), at least two.

    >>> spread(np.array([[0.0, 1.0], [2.0, 1.0]])).__round__(3)
    0.707
    """
    return float(rows.std(axis=0, ddof=1).mean())


def paired_cosine(images: Rows, texts: Rows) -> float:
    """The mean cosine of an image and its text, (n, D) each.

    CLIPScore is 2.5 times the mean of these cosines, negative ones as 0: see `clip_score`.
    """
    return float((images * texts).sum(axis=1).mean())


def clip_score(images: Rows, texts: Rows, weight: float = 2.5) -> float:
    """CLIPScore: weight times the mean of the positive parts of the cosines, (n, D) each.

    Hessel et al., CLIPScore: A Reference-free Evaluation Metric for Image Captioning, 2021.
    https://arxiv.org/abs/2104.08718

    >>> clip_score(np.array([[1.0, 0.0]]), np.array([[0.6, 0.8]]))
    1.5
    """
    return float(weight * np.maximum((images * texts).sum(axis=1), 0).mean())

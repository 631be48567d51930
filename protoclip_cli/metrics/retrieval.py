"""Retrieval between images and their captions, when an image may have several.

* image -> text: the rank of an image is that of its best caption among all captions.
* text -> image: the rank of a caption is that of its image among all images.

Recall@k is the share with a rank below k, and mean recall the mean of the six numbers for k = 1, 5, 10.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.metrics.ranking import Floats, cosines, places, ranks, unit, within

CUTS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class RetrievalRanks:
    """Ranks from 0, both ways."""

    image_to_text: NDArray[np.int64]
    """(n,), one per image."""
    text_to_image: NDArray[np.int64]
    """(m,), one per caption."""

    @property
    def mean_recall(self) -> float:
        """The mean of the six recalls."""
        both = (self.image_to_text, self.text_to_image)
        return float(np.mean([within(one, k) for one in both for k in CUTS]))


def retrieval_ranks(
    images: Floats, texts: Floats, image_of_text: NDArray[np.int64], chunk: int = 512
) -> RetrievalRanks:
    """Rank captions for images and images for captions.

    Args:
        images: (n, D), any length.
        texts: (m, D), any length.
        image_of_text: (m,), which image each caption belongs to. Every image has at least one.
        chunk: how many queries are scored at once. No number depends on it.

    Raises:
        ProtoclipError: a feature is not finite.
    """
    return RetrievalRanks(
        image_to_text=_best_caption(unit(images, "images"), unit(texts, "captions"), image_of_text, chunk),
        text_to_image=ranks(texts, images, image_of_text, chunk),
    )


def mean_rank(found: NDArray[np.int64]) -> float:
    """The mean rank, from 1.

    >>> mean_rank(np.array([0, 3]))
    2.5
    """
    return float(found.mean() + 1)


def median_rank(found: NDArray[np.int64]) -> int:
    """The median rank, from 1, rounded down as open_clip does.

    >>> median_rank(np.array([0, 3]))
    2
    """
    return int(np.floor(np.median(found))) + 1


def _best_caption(
    images: NDArray[np.float64], texts: NDArray[np.float64], image_of_text: NDArray[np.int64], chunk: int
) -> NDArray[np.int64]:
    """The rank of each image's best caption.

    Ranks have no ties: the best caption has the highest score and, of equal ones, the lowest column.
    """
    columns = np.argsort(image_of_text, kind="stable")
    first = np.searchsorted(image_of_text[columns], np.arange(len(images) + 1))
    if (np.diff(first) == 0).any() or first[-1] != len(texts):
        raise ValueError("every image needs a caption, and every caption an image")
    found = np.empty(len(images), np.int64)
    for start in range(0, len(images), chunk):
        stop = min(start + chunk, len(images))
        scores = cosines(images[start:stop], texts)
        own, begins = columns[first[start] : first[stop]], first[start:stop] - first[start]
        rows = image_of_text[own] - start
        own_scores = scores[rows, own]
        highest = np.maximum.reduceat(own_scores, begins)
        best = np.minimum.reduceat(np.where(own_scores == highest[rows], own, len(texts)), begins)
        found[start:stop] = places(scores, best)
    return found

"""The rows that pictures show: images, captions, and a model's features of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.drawing.tiles import Images


@dataclass(frozen=True, slots=True)
class Gallery:
    """A sample of pairs, as a model sees them."""

    name: str
    """Where they are from."""
    images: Images
    rows: NDArray[np.int64]
    """(n,), which images."""
    texts: Sequence[str]
    """(n,), a caption of each."""
    image_features: NDArray[np.float32]
    """(n, D), unit length."""
    text_features: NDArray[np.float32]
    """(n, D), unit length."""
    labels: NDArray[np.int64] | None = None
    """(n,), the class of each, if it is known."""
    classes: tuple[str, ...] = ()
    seed: int = 0
    """Of what is left to chance in a picture."""

    def __len__(self) -> int:
        """How many pairs."""
        return len(self.rows)

    @property
    def spread(self) -> int:
        """How many different features the images have: 1 if they have collapsed."""
        return len(np.unique(self.image_features.round(6), axis=0))


@dataclass(frozen=True, slots=True)
class Answers:
    """What a zero-shot classifier said about a benchmark."""

    benchmark: str
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    """(n,), the class of each image."""
    predictions: NDArray[np.int64]
    """(n,), the class that it was taken for."""


def unit_rows(features: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """Features at unit length.

    Args:
        features: (n, D), any length.
        what: they are of.

    Raises:
        ProtoclipError: one is not finite.
    """
    if bad := int((~np.isfinite(features)).any(axis=1).sum()):
        raise ProtoclipError(
            f"{bad} of {len(features)} features of {what} are not finite (NaN or Inf), and cannot be drawn",
            hint="training has diverged: draw an earlier checkpoint",
        )
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), np.float32)

"""What a probe may ask of a model: features of images and of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.data.benchmarks.base import Images
from protoclip_cli.data.views.base import ImageView

Features = Literal["embedding", "backbone"]
"""What the image tower gives, or what it had before its projection into the shared space."""


class Embedder(Protocol):
    """A model in evaluation mode. The features of a row do not depend on the rows beside it."""

    @property
    def model_hash(self) -> str:
        """Of the tensors."""

    @property
    def transform(self) -> str:
        """How images are made ready, in words."""

    @property
    def precision(self) -> str:
        """In which type the model computes."""

    def images(self, images: Images, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of images.

        Args:
            images: where they are.
            rows: (n,), which ones.

        Returns:
            (n, D), float32, any length.

        Raises:
            ProtoclipError: one is not finite.
        """

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts.

        Args:
            texts: m of them.

        Returns:
            (m, D), float32, any length.

        Raises:
            ProtoclipError: one is not finite.
        """

    def using(self, features: str) -> Embedder:
        """The same model with other features.

        Args:
            features: `embedding`, `backbone` (of images only), or the name of a head; with `<-teacher` behind
                it, texts are embedded by the teacher that the model has learned from.

        Raises:
            DataError: the model has none of that name.
        """

    def tunable(self) -> TunableTower:
        """A copy of the image tower that may be trained.

        Raises:
            DataError: there is only a table of features, and no tower.
        """


@dataclass(frozen=True, slots=True)
class TunableTower:
    """An image tower to train, apart from the model it was copied from."""

    module: nn.Module
    """(b, 3, H, W) uint8 to (b, D), any length."""
    view: ImageView
    """Makes images ready for it."""
    device: torch.device


def checked(features: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """The features, if all are finite.

    Args:
        features: (n, D).
        what: what they are of, for the message.

    Raises:
        ProtoclipError: one is not finite.
    """
    if bad := int((~np.isfinite(features)).any(axis=1).sum()):
        raise ProtoclipError(
            f"the model gave features that are not finite for {bad} of {len(features)} {what}; every score "
            "computed from them would mean nothing",
            hint="training has diverged or the precision overflowed: try an earlier checkpoint, or fp32",
        )
    return features


class CachedEmbedder:
    """An embedder that does nothing twice, so that one extraction serves every probe and benchmark.

    An image is remembered by the fingerprint of its source and its row, a list of texts as a whole. They stay
    in memory: 4 D bytes an image, 100 MB for 50,000 of width 512.
    """

    def __init__(self, embedder: Embedder) -> None:
        """Start with nothing.

        Args:
            embedder: what is asked for the rest.
        """
        self.model_hash = embedder.model_hash
        self.transform = embedder.transform
        self.precision = embedder.precision
        self._embedder = embedder
        self._others: dict[str, CachedEmbedder] = {}
        self._sources: dict[str, _Seen] = {}
        self._texts: dict[tuple[str, ...], NDArray[np.float32]] = {}

    def images(self, images: Images, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of images, see `Embedder`."""
        seen = self._sources.get(images.fingerprint)
        asked = np.unique(rows)
        new = asked if seen is None else np.setdiff1d(asked, seen.rows)
        if seen is None or len(new):
            fresh = _Seen(new, checked(self._embedder.images(images, new), "images"))
            seen = self._sources[images.fingerprint] = fresh if seen is None else seen.with_more(fresh)
        return seen.of(rows)

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts, see `Embedder`."""
        if (key := tuple(texts)) not in self._texts:
            self._texts[key] = checked(self._embedder.texts(key), "texts")
        return self._texts[key]

    @property
    def forgetful(self) -> Embedder:
        """The model behind, which remembers nothing, for texts that are too many to keep."""
        return self._embedder

    def using(self, features: str) -> Embedder:
        """The same model with other features, see `Embedder`."""
        if features not in self._others:
            self._others[features] = CachedEmbedder(self._embedder.using(features))
        return self._others[features]

    def tunable(self) -> TunableTower:
        """A copy of the image tower, see `Embedder`."""
        return self._embedder.tunable()


def embed_once(embedder: Embedder, *sides: Sequence[str]) -> list[NDArray[np.float32]]:
    """Features of texts that are too many to remember; each different one is embedded once.

    Args:
        embedder: the model. If it remembers, it does not remember these.
        sides: lists of texts.

    Returns:
        For each side (n, D), float32, any length.

    Raises:
        ProtoclipError: one is not finite.
    """
    position = {text: number for number, text in enumerate(dict.fromkeys(t for side in sides for t in side))}
    model = embedder.forgetful if isinstance(embedder, CachedEmbedder) else embedder
    features = checked(model.texts(list(position)), "texts")
    return [features[[position[text] for text in side]] for side in sides]


class _Seen:
    """The features of some rows of a source."""

    def __init__(self, rows: NDArray[np.int64], features: NDArray[np.float32]) -> None:
        """Keep them.

        Args:
            rows: (n,), in rising order.
            features: (n, D).
        """
        self.rows = rows
        self._features = features

    def with_more(self, other: _Seen) -> _Seen:
        rows = np.concatenate([self.rows, other.rows])
        order = np.argsort(rows)
        return _Seen(rows[order], np.concatenate([self._features, other._features])[order])

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._features[np.searchsorted(self.rows, rows)]

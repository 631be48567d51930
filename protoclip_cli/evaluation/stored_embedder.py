"""An embedder that looks for features on disk first."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from protoclip_cli import __version__
from protoclip_cli.compute.processes import is_main, on_all
from protoclip_cli.data.benchmarks.base import Images
from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.evaluation.embedder import Embedder, TunableTower, checked
from protoclip_cli.evaluation.feature_cache import FeatureCache, Piece, Rows

_FORMAT = 1
"""To be counted up when the same key would stand for other features."""

Encode = Callable[[Rows], NDArray[np.float32]]


class IdentifiedEmbedder(Embedder, Protocol):
    """An embedder that knows what its features depend on."""

    @property
    def identity(self) -> str:
        """Changes when anything but images and texts does that features depend on."""

    @property
    def features(self) -> str:
        """Which features these are, see `using`."""

    def using(self, features: str) -> IdentifiedEmbedder:
        """The same model with other features, see `Embedder`."""


class StoredEmbedder:
    """Finds features in a cache, and puts those it had to compute there.

    All processes look, and what one of them does not find all compute together. The first one writes.
    """

    def __init__(self, embedder: IdentifiedEmbedder, cache: FeatureCache) -> None:
        """Start with what is on disk.

        Args:
            embedder: what is asked for the rest.
            cache: of features.
        """
        self.model_hash = embedder.model_hash
        self.transform = embedder.transform
        self.precision = embedder.precision
        self._embedder, self._cache = embedder, cache

    def using(self, features: str) -> StoredEmbedder:
        """The same model with other features, see `Embedder`."""
        return StoredEmbedder(self._embedder.using(features), self._cache)

    def tunable(self) -> TunableTower:
        """A copy of the image tower, see `Embedder`."""
        return self._embedder.tunable()

    def images(self, images: Images, rows: Rows) -> NDArray[np.float32]:
        """Features of images, see `Embedder`."""
        asked, back = np.unique(rows, return_inverse=True)
        stamps = _stamps(images, asked)
        found = self._stored(
            "images", images.fingerprint, asked, stamps, partial(self._embedder.images, images)
        )
        return found[back]

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Features of texts, see `Embedder`."""
        return self._stored(
            "texts",
            fingerprint(*texts),
            np.arange(len(texts)),
            np.zeros(len(texts), np.uint64),
            lambda missing: self._embedder.texts([texts[row] for row in missing]),
        )

    def _stored(
        self, what: str, source: str, rows: Rows, stamps: NDArray[np.uint64], encode: Encode
    ) -> NDArray[np.float32]:
        """Features of rows in rising order: those that are on disk from there, the others computed."""
        about = {"format": _FORMAT, "version": __version__, "what": what, "source": source}
        about |= {"features": self._embedder.features}
        about |= {"model": self._embedder.identity, "transform": self.transform, "precision": self.precision}
        key = fingerprint(*(f"{name}={value}" for name, value in sorted(about.items())))
        known, found = self._look(key, rows, stamps)
        known &= on_all(torch.from_numpy(known)).numpy()
        if known.all() and found is not None:
            return found
        missing = np.flatnonzero(~known)
        computed = checked(encode(rows[missing]), what)
        if is_main():
            self._cache.add(key, Piece(rows[missing], stamps[missing], computed), about)
        if found is None or len(missing) == len(rows):
            return computed
        found[missing] = computed
        return found

    def _look(
        self, key: str, rows: Rows, stamps: NDArray[np.uint64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32] | None]:
        """Which rows are on disk, of files that have not changed since, and features with those filled in."""
        known = np.zeros(len(rows), bool)
        found: NDArray[np.float32] | None = None
        for piece in self._cache.pieces(key):
            places = np.searchsorted(piece.rows, rows).clip(max=max(len(piece.rows) - 1, 0))
            fits = len(piece.rows) and (piece.rows[places] == rows) & (piece.stamps[places] == stamps)
            use = np.flatnonzero(fits & ~known)
            if not len(use):
                continue
            if found is None:
                found = np.empty((len(rows), piece.features.shape[1]), np.float32)
            found[use] = piece.features[places[use]]
            known[use] = True
        return known, found


def _stamps(images: Images, rows: Rows) -> NDArray[np.uint64]:
    """(n,): when and how large the file of each row is, 0 where a row is no file of its own.

    A source's fingerprint is of names. A picture that was painted over keeps its name.
    """
    stamps = np.zeros(len(rows), np.uint64)
    if images.in_memory:
        return stamps
    for number, row in enumerate(rows):
        try:
            seen = os.stat(images.place(int(row)))  # noqa: PTH116 (a path per image: text, not objects)
        except (OSError, ValueError):
            continue
        stamps[number] = (seen.st_mtime_ns ^ (seen.st_size << 40)) & 0xFFFF_FFFF_FFFF_FFFF
    return stamps

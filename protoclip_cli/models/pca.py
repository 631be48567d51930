"""Principal components of features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MEAN, _COMPONENTS = "pca_mean.npy", "pca_components.npy"
_CHUNK = 8192


@dataclass(frozen=True, slots=True)
class Pca:
    """Features onto the directions in which they differ most. No whitening, no unit length."""

    mean: NDArray[np.float32]
    """(S,)."""
    components: NDArray[np.float32]
    """(T, S), orthonormal rows, the one with most variance first."""

    @classmethod
    def fit(cls, features: NDArray[np.generic], rows: NDArray[np.int64], dim: int) -> Pca:
        """Find the directions. Holds a chunk of rows and an (S, S) matrix in memory.

        Args:
            features: (N, S), may be memory-mapped.
            rows: (n,), which of them to fit on.
            dim: T, at most S.
        """
        chunks = [rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK)]
        mean = sum(features[chunk].astype(np.float64).sum(axis=0) for chunk in chunks) / len(rows)
        spread = np.zeros((features.shape[1],) * 2)
        for chunk in chunks:
            centred = features[chunk].astype(np.float64) - mean
            spread += centred.T @ centred
        directions = np.linalg.eigh(spread)[1][:, ::-1][:, :dim].T
        # The sign of a direction is free; the largest entry is positive, so that it is always the same.
        largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
        return cls(mean.astype(np.float32), (directions * np.sign(largest)).astype(np.float32))

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, S) to (n, T)."""
        return np.asarray((rows - self.mean) @ self.components.T, np.float32)

    def save(self, folder: Path) -> None:
        """Write it."""
        np.save(folder / _MEAN, self.mean)
        np.save(folder / _COMPONENTS, self.components)

    @classmethod
    def load(cls, folder: Path) -> Pca | None:
        """Read it, or nothing where features were not reduced."""
        if not (folder / _COMPONENTS).is_file():
            return None
        return cls(*(np.load(folder / name, allow_pickle=False) for name in (_MEAN, _COMPONENTS)))

"""Principal components of features."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_MEAN, _COMPONENTS = "pca_mean.npy", "pca_components.npy"


@dataclass(frozen=True, slots=True)
class Pca:
    """Features onto the directions in which they differ most. No whitening, no unit length."""

    mean: NDArray[np.float32]
    """(S,)."""
    components: NDArray[np.float32]
    """(T, S), orthonormal rows."""

    @classmethod
    def fit(cls, rows: NDArray[np.float32], dim: int) -> Pca:
        """Find the directions.

        Args:
            rows: (n, S), a sample.
            dim: T, at most n and S.
        """
        from sklearn.decomposition import PCA

        found = PCA(dim, svd_solver="covariance_eigh" if len(rows) > rows.shape[1] else "full").fit(
            rows.astype(np.float64)
        )
        return cls(found.mean_.astype(np.float32), found.components_.astype(np.float32))

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

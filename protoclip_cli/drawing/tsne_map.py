"""A t-SNE map: points of the plane for features, the same for the same features.

van der Maaten and Hinton, Visualizing Data using t-SNE, 2008.
"""

from __future__ import annotations

import importlib.util
import io
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.core.errors import DataError
from protoclip_cli.store.files import write_bytes

LEAST = 5
"""Different features that a map takes."""


@dataclass(frozen=True, slots=True)
class KeptMap:
    """A map that later features are drawn in."""

    features: NDArray[np.float32]
    """(n, D), those it was made of."""
    places: NDArray[np.float32]
    """(n, 2)."""
    perplexity: float

    def save(self, path: Path) -> None:
        """Write the map to a file."""
        content = io.BytesIO()
        np.savez_compressed(
            content, features=self.features, places=self.places, perplexity=np.float32(self.perplexity)
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> KeptMap:
        """Read what `save` wrote.

        Raises:
            DataError: the file is something else, or damaged.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                kept = cls(file["features"], file["places"], float(file["perplexity"]))
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise DataError(
                f"the map {path} cannot be read: {error}", hint="delete it; a new one is made"
            ) from None
        if kept.features.ndim != 2 or kept.places.shape != (len(kept.features), 2):
            raise DataError(f"{path} holds no map", hint="delete it; a new one is made")
        return kept


def has_opentsne() -> bool:
    """Whether openTSNE is installed."""
    return importlib.util.find_spec("openTSNE") is not None


def fitting_perplexity(wanted: float, points: int) -> float:
    """The perplexity, or the largest that so few points allow: each needs three times as many neighbours.

    >>> fitting_perplexity(30, 1000), fitting_perplexity(30, 10)
    (30.0, 3.0)
    """
    return float(max(1.0, min(wanted, (points - 1) / 3)))


def make_map(
    features: NDArray[np.float32], perplexity: float, seed: int, kept: KeptMap | None = None
) -> NDArray[np.float32]:
    """Places for features, by openTSNE if it is installed, else by scikit-learn.

    Args:
        features: (n, D), unit length, at least `LEAST` different ones.
        perplexity: about how many neighbours count; less than n / 3.
        seed: of what is left to chance.
        kept: draw in this map. openTSNE puts each point among those of the map whose features it is like;
            scikit-learn begins with the map's places, which needs as many points in the same order.

    Returns:
        (n, 2).

    Raises:
        DataError: the map was made of other rows.
    """
    if kept is not None and kept.features.shape != features.shape:
        raise DataError(
            f"the map was made of {kept.features.shape[0]} features of width {kept.features.shape[1]}, and "
            f"these are {features.shape[0]} of width {features.shape[1]}",
            hint="draw with the same --data and --rows, or delete the map",
        )
    places = _by_opentsne if has_opentsne() else _by_sklearn
    return np.asarray(places(features, perplexity, seed, kept), np.float32)


def _by_opentsne(
    features: NDArray[np.float32], perplexity: float, seed: int, kept: KeptMap | None
) -> NDArray[np.float32]:
    from openTSNE import TSNE, TSNEEmbedding, affinity

    if kept is None:
        return np.asarray(TSNE(perplexity=perplexity, random_state=seed, n_jobs=1).fit(features))
    near = affinity.PerplexityBasedNN(kept.features, perplexity=kept.perplexity, random_state=seed, n_jobs=1)
    old = TSNEEmbedding(np.asarray(kept.places, np.float64), near, random_state=seed, n_jobs=1)
    return np.asarray(old.transform(features, perplexity=min(5.0, kept.perplexity)))


def _by_sklearn(
    features: NDArray[np.float32], perplexity: float, seed: int, kept: KeptMap | None
) -> NDArray[np.float32]:
    from sklearn.manifold import TSNE

    if kept is None:
        start, exaggeration = _main_axes(features), 12.0
    else:
        start, exaggeration = kept.places, 1.0  # exaggerated, the points would leave their places
    model = TSNE(
        perplexity=perplexity, init=start, early_exaggeration=exaggeration, random_state=seed, n_jobs=1
    )
    places: NDArray[np.float32] = model.fit_transform(features)
    return places


def _main_axes(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The first two principal components, small, as t-SNE likes to begin; their signs are fixed."""
    centred = features - features.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    places = centred @ axes[:2].T
    if places.shape[1] < 2:
        places = np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    signs = np.sign(places[np.abs(places).argmax(axis=0), np.arange(2)])
    return np.asarray(
        1e-4 * places * np.where(signs == 0, 1, signs) / max(places[:, 0].std(), 1e-12), np.float32
    )

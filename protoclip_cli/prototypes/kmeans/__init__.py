"""k-means over all processes, behind one function."""

from __future__ import annotations

import torch
from torch import Tensor

from protoclip_cli.compute.processes import sum_over_processes
from protoclip_cli.compute.randomness import key
from protoclip_cli.core.errors import DataError, RecipeError
from protoclip_cli.prototypes.kmeans._assign import assign, full_precision, squared_distances
from protoclip_cli.prototypes.kmeans._start import plus_plus_start, random_start
from protoclip_cli.prototypes.kmeans._types import Clustering, Fitted, KMeansSettings, Shard

__all__ = ["Clustering", "KMeansSettings", "kmeans"]

_SMALL, _STARTS = 2**24, 10
"""Few clusters of few rows are where one bad start shows, and where another costs nothing."""


def kmeans(rows: Tensor, settings: KMeansSettings, *, seed: int) -> Clustering:
    """Cluster rows by Euclidean distance. Collective; the number of processes changes only rounding.

    Args:
        rows: (n, d), this process's contiguous share of all rows, in rank order. May be empty on some.
        settings: how many clusters, and how to look for them.
        seed: of all chance.

    Raises:
        DataError: a row is not finite.
        RecipeError: fewer rows than clusters, or one cluster.
        MissingExtra: faiss was asked for and is not installed.
    """
    shard = Shard.of(rows.detach().float())
    _check(shard, settings)
    with full_precision(rows.device):
        return _best_of_restarts(shard, settings, seed)


def _best_of_restarts(shard: Shard, settings: KMeansSettings, seed: int) -> Clustering:
    """The restart whose centroids are nearest to all rows."""
    if settings.backend == "faiss":
        from protoclip_cli.prototypes.kmeans._faiss import fit
    else:
        from protoclip_cli.prototypes.kmeans._torch import fit
    draw = plus_plus_start if settings.start == "k-means++" else random_start
    each = settings.samples_per_centroid
    sample = shard if each is None else shard.sample(settings.k * max(1, each), seed)
    small = sample.total * settings.k * sample.rows.shape[1] <= _SMALL
    best: Clustering | None = None
    for number in range(max(settings.restarts, _STARTS if small else 1)):
        start = draw(sample, settings.k, key(seed, "restart", number))
        found = _clustering(fit(sample, start, settings), shard, sample)
        if best is None or found.objective < best.objective:
            best = found
    assert best is not None
    return best


def _clustering(fitted: Fitted, shard: Shard, sample: Shard) -> Clustering:
    """Every row with its nearest centroid."""
    if fitted.labels is None or sample is not shard:
        labels, distances = assign(shard.rows, fitted.centroids)
    else:
        labels = fitted.labels
        distances = squared_distances(shard.rows, fitted.centroids, labels)
    sizes = sum_over_processes(torch.bincount(labels, minlength=len(fitted.centroids)))
    return Clustering(
        fitted.centroids,
        labels,
        distances,
        sizes,
        objective=float(sum_over_processes(distances.sum(dtype=torch.float64))),
        empty=int((sizes == 0).sum()),
        reseeded=fitted.reseeded,
        sampled=sample.total,
        backend=fitted.backend,
    )


def _check(shard: Shard, settings: KMeansSettings) -> None:
    """Refuse what cannot be clustered, on all processes alike."""
    # A sum is finite if all numbers are; only if not, the rows are looked at one by one.
    bad = torch.zeros((), dtype=torch.long, device=shard.rows.device)
    if not shard.rows.sum(dtype=torch.float64).isfinite():
        bad = (~shard.rows.isfinite().all(dim=1)).sum()
    if count := int(sum_over_processes(bad)):
        raise DataError(
            f"{count} of {shard.total} rows of features are not finite (NaN or Inf), and cannot be clustered",
            hint="training has diverged or the teacher's bank is damaged: lower optimizer.lr, or use fp32",
        )
    if settings.k < 2:
        raise RecipeError(f"k is {settings.k}: one cluster tells nothing apart", hint="use k of 2 or more")
    if settings.k > shard.total:
        raise RecipeError(
            f"k is {settings.k}, more than the {shard.total} rows to cluster",
            hint="lower k; ten rows or more for each cluster are usual",
        )

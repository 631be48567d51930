"""k-means over all processes, behind one function."""

from __future__ import annotations

from torch import Tensor

from protoclip_cli.compute.processes import collect_ragged, sum_over_processes
from protoclip_cli.core.errors import DataError, RecipeError
from protoclip_cli.prototypes.kmeans._assign import assign
from protoclip_cli.prototypes.kmeans._types import Clustering, KMeansSettings, Shard

__all__ = ["Clustering", "KMeansSettings", "kmeans"]


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
    if settings.backend == "faiss":
        from protoclip_cli.prototypes.kmeans._faiss import fit
    else:
        from protoclip_cli.prototypes.kmeans._torch import fit
    fitted = fit(shard, settings, seed)
    labels, distances = assign(shard.rows, fitted.centroids)
    sizes = sum_over_processes(
        labels.new_zeros(settings.k).index_add_(0, labels, labels.new_ones(len(labels)))
    )
    objective = float(sum_over_processes(distances.double().sum()))
    return Clustering(
        fitted.centroids,
        labels,
        distances,
        sizes,
        objective,
        empty=int((sizes == 0).sum()),
        reseeded=fitted.reseeded,
        sampled=fitted.sampled,
        backend=fitted.backend,
    )


def _check(shard: Shard, settings: KMeansSettings) -> None:
    """Refuse what cannot be clustered, on all processes alike."""
    bad = (~shard.rows.isfinite().all(dim=1)).sum()
    if count := int(collect_ragged(bad[None]).sum()):
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

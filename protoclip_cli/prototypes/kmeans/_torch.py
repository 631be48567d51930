"""Lloyd's k-means in torch, on any device and over all processes.

Each process assigns its own rows; sums and counts travel. Sums are in float64.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from protoclip_cli.compute.processes import sum_over_processes
from protoclip_cli.compute.randomness import generator, key
from protoclip_cli.prototypes.back_translation import cluster_means
from protoclip_cli.prototypes.kmeans._assign import assign
from protoclip_cli.prototypes.kmeans._start import plus_plus_start, random_start
from protoclip_cli.prototypes.kmeans._types import Fitted, KMeansSettings, Shard

_NUDGE = 2.0**-10
_SMALL, _STARTS = 2**24, 10  # few clusters are where one bad start shows, and where another costs nothing


def fit(shard: Shard, settings: KMeansSettings, seed: int) -> Fitted:
    """Find centroids; of several starts the best."""
    sample = _sampled(shard, settings, seed)
    draw = plus_plus_start if settings.start == "k-means++" else random_start
    best, least, reseeded = None, float("inf"), 0
    small = sample.total * settings.k * sample.rows.shape[1] <= _SMALL
    starts = max(settings.restarts, _STARTS) if small else settings.restarts
    for number in range(starts):
        start = draw(sample, settings.k, key(seed, "restart", number))
        centroids, refilled = lloyd(sample.rows, start, settings)
        if starts > 1:
            objective = float(sum_over_processes(assign(sample.rows, centroids)[1].double().sum()))
        else:
            objective = 0.0
        if best is None or objective < least:
            best, least, reseeded = centroids, objective, refilled
    assert best is not None
    return Fitted(best, reseeded, sample.total, f"torch on {shard.rows.device.type}")


def lloyd(rows: Tensor, start: Tensor, settings: KMeansSettings) -> tuple[Tensor, int]:
    """Assign and average until nothing changes or the iterations are over.

    Args:
        rows: (n, d), of this process.
        start: (k, d).
        settings: iterations, and whether centroids keep unit length.

    Returns:
        Centroids (k, d), and how often a cluster without members got half of another.
    """
    centroids = F.normalize(start, dim=-1) if settings.spherical else start
    before: Tensor | None = None
    reseeded = 0
    for _ in range(settings.iterations):
        labels, _ = assign(rows, centroids)
        if before is not None and not int(sum_over_processes((labels != before).sum())):
            break
        means, sizes = cluster_means(rows, labels, settings.k)
        moved, refilled = _refill(means, sizes)
        centroids = F.normalize(moved, dim=-1) if settings.spherical else moved
        reseeded += refilled
        before = None if refilled else labels
    return centroids, reseeded


def _refill(means: Tensor, sizes: Tensor) -> tuple[Tensor, int]:
    """Let each cluster without members share those of the largest, from a place just beside its mean."""
    empty = (sizes == 0).nonzero().flatten().tolist()
    if not empty:
        return means, 0
    means, left = means.clone(), sizes.clone()
    sign = torch.ones(means.shape[1], dtype=means.dtype, device=means.device)
    sign[1::2] = -1
    for cluster in empty:
        largest = int(left.argmax())
        means[cluster] = means[largest] * (1 + _NUDGE * sign)
        means[largest] = means[largest] * (1 - _NUDGE * sign)
        left[cluster] = left[largest] // 2
        left[largest] -= left[cluster]
    return means, len(empty)


def _sampled(shard: Shard, settings: KMeansSettings, seed: int) -> Shard:
    """The rows to fit on: all, or as many as the settings say, each as likely as any other."""
    most = (
        shard.total if settings.samples_per_centroid is None else settings.k * settings.samples_per_centroid
    )
    if most >= shard.total:
        return shard
    ids = generator(seed, "sample").choice(shard.total, max(most, settings.k), replace=False)
    mine = ids[(ids >= shard.first) & (ids < shard.first + len(shard.rows))] - shard.first
    mine.sort()
    return Shard.of(shard.rows[torch.from_numpy(mine).to(shard.rows.device)])

"""Lloyd's k-means in torch, on any device and over all processes.

Each process assigns its own rows; sums and counts travel. Sums are in float64.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from protoclip_cli.compute.processes import collect_ragged, sum_over_processes
from protoclip_cli.prototypes.back_translation import cluster_means
from protoclip_cli.prototypes.kmeans._assign import nearest, squared_distances
from protoclip_cli.prototypes.kmeans._types import Fitted, KMeansSettings, Shard

_MOST = 0.9
"""Of the centroids: if more moved, looking at who did saves nothing."""
_FAR = 1e6
"""Of the largest coordinate: where no row is nearest."""


def fit(shard: Shard, start: Tensor, settings: KMeansSettings) -> Fitted:
    """Average and assign until nothing changes or the iterations are over.

    What cannot have changed is not computed again: a row whose centroid stayed compares only with centroids
    that moved. With ten rows to a cluster that saves most of the work, and changes nothing.

    Args:
        shard: the rows to fit on.
        start: (k, d), the first centroids.
        settings: iterations, and whether centroids keep unit length.
    """
    rows = shard.rows
    centroids = F.normalize(start, dim=-1) if settings.spherical else start.clone()
    twins = _twins(centroids)
    # Rounding alone would decide which rows belong to which of two equal ones.
    centroids[twins] = _FAR * centroids.abs().max().clamp(min=1)
    labels, scores = nearest(rows, centroids)
    moves = torch.ones(settings.k, dtype=torch.bool, device=rows.device)
    reseeded = 0
    for _ in range(settings.iterations):
        means, sizes = cluster_means(rows, labels, settings.k)
        if settings.spherical:
            means = F.normalize(means, dim=-1)
        moves &= sizes > 0
        centroids[moves] = means[moves]
        if int(sizes.min()) == 0:
            refilled = _refill(shard, centroids, labels, sizes)
            moves[refilled], twins[refilled] = True, False
            reseeded += len(refilled)
        before = labels
        labels, scores = _again(rows, centroids, labels, scores, moves)
        moves = _touched(before, labels, settings.k)
        if not bool(moves.any()):
            break
    centroids[twins] = centroids[0].clone()
    return Fitted(centroids, reseeded, f"torch on {rows.device.type}", labels)


def _twins(centroids: Tensor) -> Tensor:
    """(k,), bool: those that equal an earlier one."""
    numbers = torch.arange(len(centroids), device=centroids.device)
    same = torch.unique(centroids, dim=0, return_inverse=True)[1]
    first = torch.full_like(numbers, len(numbers)).scatter_reduce_(0, same, numbers, "amin")
    return first[same] != numbers


def _again(
    rows: Tensor, centroids: Tensor, labels: Tensor, scores: Tensor, moved: Tensor
) -> tuple[Tensor, Tensor]:
    """What `nearest` would find, from what it found before some centroids moved."""
    if int(moved.sum()) > _MOST * len(moved):
        return nearest(rows, centroids)
    stale = moved[labels]
    labels, scores = labels.clone(), scores.clone()
    anew, rest = stale.nonzero().flatten(), (~stale).nonzero().flatten()
    labels[anew], scores[anew] = nearest(rows, centroids, anew)
    names = moved.nonzero().flatten()
    if len(names):
        other, score = nearest(rows, centroids[names], rest)
        nearer = score < scores[rest]
        labels[rest[nearer]], scores[rest[nearer]] = names[other[nearer]], score[nearer]
    return labels, scores


def _touched(before: Tensor, after: Tensor, k: int) -> Tensor:
    """(k,), bool: the clusters that won or lost a row on any process."""
    changed = before != after
    touched = torch.zeros(k, dtype=torch.long, device=before.device)
    touched[before[changed]] = 1
    touched[after[changed]] = 1
    return sum_over_processes(touched) > 0


def _refill(shard: Shard, centroids: Tensor, labels: Tensor, sizes: Tensor) -> Tensor:
    """Move the centroids of empty clusters to the rows farthest out in the clusters that cost most.

    Returns:
        (m,), the clusters that were moved. Where all rows are at their centroids there is nothing to move to.
    """
    distances = squared_distances(shard.rows, centroids, labels)
    cost = torch.zeros(len(sizes), dtype=torch.float64, device=sizes.device)
    cost = sum_over_processes(cost.index_add_(0, labels, distances.double()))
    empty = (sizes == 0).nonzero().flatten()
    donors = cost.argsort(descending=True, stable=True)[: len(empty)]
    donors = donors[cost[donors] > 0]
    ids = _farthest(shard, labels, distances, len(sizes))[donors]
    rising, order = ids.sort()
    refilled = empty[: len(donors)]
    centroids[refilled[order]] = shard.pick(rising.cpu().numpy())
    return refilled


def _farthest(shard: Shard, labels: Tensor, distances: Tensor, k: int) -> Tensor:
    """(k,), the number of the row farthest out in each cluster; of equally far ones the first."""
    most = torch.full((k,), -1.0, device=distances.device).scatter_reduce_(0, labels, distances, "amax")
    most = collect_ragged(most[None]).amax(dim=0)
    ids = torch.from_numpy(shard.ids).to(labels.device)
    ids = ids.where(distances == most[labels], shard.total)
    first = torch.full((k,), shard.total, device=labels.device).scatter_reduce_(0, labels, ids, "amin")
    return collect_ragged(first[None]).amin(dim=0)

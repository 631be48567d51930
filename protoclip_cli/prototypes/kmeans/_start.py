"""The first centroids, chosen by numbers that rows have among those of all processes.

So the number of processes does not change who is chosen.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protoclip_cli.compute.processes import collect_ragged, rank, sum_over_processes
from protoclip_cli.compute.randomness import generator, key
from protoclip_cli.prototypes.kmeans._assign import nearest
from protoclip_cli.prototypes.kmeans._types import Shard

_ROUNDS = 128
_EACH, _ENOUGH = 32, 10_000
_ZERO = 1e-6
"""Of a row's squared length: what rounding leaves of the squared distance to itself."""


def random_start(shard: Shard, k: int, seed: int) -> Tensor:
    """(k, d), different rows, each as likely as any other."""
    return shard.pick(generator(seed, "random start").choice(shard.total, k, replace=False))


def plus_plus_start(shard: Shard, k: int, seed: int) -> Tensor:
    """(k, d), rows far from one another: drawn with the square of their distance to those drawn before.

    k-means++: Arthur and Vassilvitskii, 2007, with several candidates for each draw, the one kept that brings
    all rows nearest to a centroid. More than 128 clusters are drawn a few at a time, without candidates, in
    128 rounds or little more, as in k-means||: Bahmani et al., 2012, https://arxiv.org/abs/1203.6402. Of many
    rows a sample is looked at, 32 for each cluster; that changes the result by less than chance does.
    """
    at_a_time = math.ceil(k / _ROUNDS)
    candidates = 4 * (2 + int(math.log(k))) if at_a_time == 1 else 0
    shard = shard.sample(max(_ENOUGH, _EACH * k), key(seed, "start"))
    lengths = shard.rows.square().sum(dim=1)
    chosen = random_start(shard, 1, seed)
    away = _distances(nearest(shard.rows, chosen)[1], lengths)
    for number in range(k):
        if len(chosen) == k:
            break
        want = candidates or min(at_a_time, k - len(chosen))
        ids = _draw(shard, away, generator(seed, "start", number).random(want))
        if not len(ids):  # every row is at a centroid
            return torch.cat([chosen, random_start(shard, k - len(chosen), seed)])
        drawn = shard.pick(ids)
        if candidates:
            drawn = drawn[_best(shard.rows, lengths, drawn, away)][None]
        away = torch.minimum(away, _distances(nearest(shard.rows, drawn)[1], lengths))
        chosen = torch.cat([chosen, drawn])
    return chosen


def _distances(scores: Tensor, lengths: Tensor) -> Tensor:
    """Squared distances from what `nearest` says."""
    away = 2 * scores + lengths
    return away.where(away > _ZERO * lengths, 0)


def _best(rows: Tensor, lengths: Tensor, candidates: Tensor, away: Tensor) -> int:
    """Which candidate would leave rows nearest to centroids, if they are as far as `away` without it."""
    half = candidates.square().sum(dim=1) / 2
    each = _distances(torch.addmm(half, rows, candidates.T, alpha=-1), lengths[:, None])
    left = torch.minimum(each, away[:, None]).sum(dim=0, dtype=torch.float64)
    return int(sum_over_processes(left).argmin())


def _draw(shard: Shard, weight: Tensor, chance: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers of rows, each drawn with its weight, those drawn twice once; none if no row weighs anything."""
    running = np.cumsum(weight.double().cpu().numpy())
    mine = torch.tensor(running[-1:].sum(), dtype=torch.float64, device=weight.device)
    ends = collect_ragged(mine[None]).cpu().numpy().cumsum()
    if not ends[-1] > 0:
        return np.empty(0, np.int64)
    before = ends[rank() - 1] if rank() else 0.0
    marks = chance * ends[-1]
    here = marks[(marks >= before) & (marks < ends[rank()])] - before
    found = np.searchsorted(running, here, side="right").clip(max=len(running) - 1) + shard.first
    ids = collect_ragged(torch.from_numpy(found).to(weight.device)).cpu().numpy()
    return np.unique(ids).astype(np.int64)

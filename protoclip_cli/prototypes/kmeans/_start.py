"""The first centroids.

Every row draws its chance from its number among the rows of all processes, so that the number of processes
does not change who is drawn.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protoclip_cli.compute.processes import collect_ragged, sum_over_processes
from protoclip_cli.compute.randomness import key, row_keys, uniform
from protoclip_cli.prototypes.kmeans._types import Shard

_ROUNDS = 128


def random_start(shard: Shard, k: int, seed: int) -> Tensor:
    """(k, d), different rows, each as likely as any other."""
    none = torch.ones(len(shard.rows), device=shard.rows.device)
    return _rows_of(shard, _draw(shard, none, k, key(seed, "random start")))


def plus_plus_start(shard: Shard, k: int, seed: int) -> Tensor:
    """(k, d), rows far from one another: drawn with the square of their distance to those drawn before.

    k-means++: Arthur and Vassilvitskii, 2007, with several candidates for each draw, the one kept that brings
    all rows nearest to a centroid. Of many clusters, a few are drawn at a time, as in k-means||: Bahmani et
    al., 2012, https://arxiv.org/abs/1203.6402.
    """
    at_a_time = math.ceil(k / _ROUNDS)
    candidates = 4 * (2 + int(math.log(k))) if at_a_time == 1 else at_a_time
    chosen = random_start(shard, 1, seed)
    nearest = _squared(shard.rows, chosen)[:, 0]
    for number in range(1, k):
        want = min(at_a_time, k - len(chosen))
        if not want:
            break
        ids = _draw(shard, nearest, max(candidates, want), key(seed, "start", number))
        drawn = _rows_of(shard, ids)
        distances = torch.minimum(_squared(shard.rows, drawn), nearest[:, None])
        if at_a_time == 1:
            left = sum_over_processes(distances.double().sum(dim=0))
            best = int(left.argmin())
            drawn, nearest = drawn[best : best + 1], distances[:, best]
        else:
            drawn, nearest = drawn[:want], distances[:, :want].amin(dim=1)
        chosen = torch.cat([chosen, drawn])
    return chosen


def _draw(shard: Shard, weight: Tensor, count: int, stream: int) -> NDArray[np.int64]:
    """Numbers of different rows, (count,), each drawn with its weight; rows without weight come last.

    The smallest of exponential variables with these rates: Efraimidis and Spirakis, 2006.
    """
    chance = torch.from_numpy(uniform(row_keys(stream, shard.ids), 1)[:, 0]).to(weight.device)
    waiting = -torch.log1p(-chance) / weight.double().clamp(min=1e-30)
    found = waiting.topk(min(count, len(waiting)), largest=False, sorted=True)
    mine = torch.stack([found.values, (found.indices + shard.first).double()], dim=1)
    everyone = collect_ragged(mine).cpu().numpy()
    order = np.lexsort((everyone[:, 1], everyone[:, 0]))[:count]
    drawn: NDArray[np.int64] = everyone[order, 1].astype(np.int64)
    return drawn


def _rows_of(shard: Shard, ids: NDArray[np.int64]) -> Tensor:
    """(m, d), rows by their numbers, in the order asked for."""
    rising = np.argsort(ids)
    rows = shard.pick(ids[rising])
    return rows[torch.from_numpy(np.argsort(rising)).to(rows.device)]


def _squared(rows: Tensor, others: Tensor) -> Tensor:
    """(n, m), squared distances."""
    return torch.addmm(
        others.square().sum(dim=1) + rows.square().sum(dim=1, keepdim=True), rows, others.T, alpha=-2
    ).clamp_(min=0)

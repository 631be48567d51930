"""Prototype back translation: who belongs together stays, and the means are taken in another space.

ProtoCLIP: Chen et al., Prototypical Contrastive Language Image Pretraining, 2022, section 3.2.
https://arxiv.org/abs/2206.10996
"""

from __future__ import annotations

import torch
from torch import Tensor

from protoclip_cli.compute.processes import sum_over_processes

_CHUNK = 16_384


def cluster_means(rows: Tensor, labels: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Average rows over each cluster, over all processes. Sums are in float64, so their order hardly matters.

    Args:
        rows: (n, P), this process's share.
        labels: (n,), long, the clusters of these rows, in [0, k); -1 for none.
        k: number of clusters.

    Returns:
        The means (k, P), of any length, zero where a cluster is empty, float32 unless the rows are float64;
        and the sizes (k,), long.

    >>> rows = torch.tensor([[1.0, 0.0], [0.0, 1.0], [4.0, 4.0]])
    >>> means, sizes = cluster_means(rows, torch.tensor([2, 2, 0]), k=3)
    >>> means.tolist(), sizes.tolist()
    ([[4.0, 4.0], [0.0, 0.0], [0.5, 0.5]], [1, 0, 2])
    """
    labels = labels.long() + 1  # those without a cluster fall into a first one that is thrown away
    total = torch.zeros(k + 1, rows.shape[1], dtype=torch.float64, device=rows.device)
    for some, where in zip(rows.split(_CHUNK), labels.split(_CHUNK), strict=True):
        total.index_add_(0, where, some.double())
    total = sum_over_processes(total[1:])
    sizes = sum_over_processes(torch.bincount(labels, minlength=k + 1)[1:])
    means = total / sizes.clamp(min=1)[:, None]
    return means if rows.dtype == torch.float64 else means.float(), sizes

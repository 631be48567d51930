"""Nearest centroids."""

from __future__ import annotations

import torch
from torch import Tensor

_BLOCK = {"cpu": 2**21, "cuda": 2**27}
"""Distances at a time, by device: what the caches hold, or fills the device."""


def assign(rows: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest centroid of each row; of equally near ones the first.

    A block of rows at a time, so that there is never a matrix of all rows by all centroids.

    Args:
        rows: (n, d).
        centroids: (k, d).

    Returns:
        Labels (n,), long, and squared distances (n,).

    >>> labels, distances = assign(torch.tensor([[0.0], [3.0]]), torch.tensor([[1.0], [3.5]]))
    >>> labels.tolist(), distances.tolist()
    ([0, 1], [1.0, 0.25])
    """
    half = centroids.square().sum(dim=1) / 2
    turned = centroids.T.contiguous()
    labels = torch.empty(len(rows), dtype=torch.long, device=rows.device)
    nearest = torch.empty(len(rows), dtype=rows.dtype, device=rows.device)
    size = max(64, _BLOCK.get(rows.device.type, _BLOCK["cuda"]) // len(centroids))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        # |x - c|^2 / 2 but for |x|^2 / 2, which does not change who is nearest.
        torch.min(torch.addmm(half, rows[part], turned, alpha=-1), dim=1, out=(nearest[part], labels[part]))
    return labels, (2 * nearest + rows.square().sum(dim=1)).clamp_(min=0)

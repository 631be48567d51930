"""Nearest centroids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_BLOCK = {"cpu": 2**21, "cuda": 2**27}
"""Numbers at a time, by device: few enough for the caches, enough that threads seldom wait for another."""


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Multiply float32 as float32, whatever training does, and keep no graph.

    TensorFloat-32 errs by a thousandth, more than what decides between two centroids.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def assign(rows: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest centroid of each row.

    Args:
        rows: (n, d).
        centroids: (k, d).

    Returns:
        Labels (n,), long, and squared distances (n,).

    >>> labels, distances = assign(torch.tensor([[0.0], [3.0]]), torch.tensor([[1.0], [3.5]]))
    >>> labels.tolist(), distances.tolist()
    ([0, 1], [1.0, 0.25])
    """
    labels, _ = nearest(rows, centroids)
    return labels, squared_distances(rows, centroids, labels)


def nearest(rows: Tensor, centroids: Tensor, which: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The nearest centroid of each row; of equally near ones the first.

    A block of rows at a time, so that there is never a matrix of all rows by all centroids.

    Args:
        rows: (n, d).
        centroids: (k, d).
        which: (m,), long: only these rows. None: all of them.

    Returns:
        Labels (m,), long, and (m,) half the squared distances but for half the squared lengths of the rows:
        of one row, smaller is nearer.
    """
    half = centroids.square().sum(dim=1) / 2
    turned = centroids.T.contiguous()
    count = len(rows) if which is None else len(which)
    labels = torch.empty(count, dtype=torch.long, device=rows.device)
    scores = torch.empty(count, dtype=rows.dtype, device=rows.device)
    blocks = _blocks(count, len(centroids), rows.device)
    room = rows.new_empty(min(count, blocks[0].stop if blocks else 0), len(centroids))
    for part in blocks:
        block = rows[part] if which is None else rows[which[part]]
        products = torch.addmm(half, block, turned, alpha=-1, out=room[: len(block)])
        torch.min(products, dim=1, out=(scores[part], labels[part]))
    return labels, scores


def squared_distances(rows: Tensor, centroids: Tensor, labels: Tensor) -> Tensor:
    """Squared distances (n,) of rows to their centroids, exact also where they are small.

    Args:
        rows: (n, d).
        centroids: (k, d).
        labels: (n,), long.
    """
    found = torch.empty(len(rows), dtype=rows.dtype, device=rows.device)
    for part in _blocks(len(rows), rows.shape[1], rows.device):
        torch.sum((rows[part] - centroids[labels[part]]).square_(), dim=1, out=found[part])
    return found


def _blocks(count: int, width: int, device: torch.device) -> list[slice]:
    size = max(64, _BLOCK.get(device.type, _BLOCK["cuda"]) // width)
    return [slice(start, start + size) for start in range(0, count, size)]

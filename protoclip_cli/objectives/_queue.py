"""A ring of the latest features, kept in buffers so that checkpoints hold it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

QueueStart = Literal["unit", "uniform"]


def uneven(queue: int, rows: int) -> Iterator[str]:
    """Words on a queue that batches do not fill evenly: some of its rows would stay longer than others.

    >>> next(uneven(100, 32))
    'queue 100 is no multiple of a batch of 32; take 96 or 128'
    >>> list(uneven(96, 32))
    []
    """
    if queue % rows:
        less = queue // rows * rows
        fits = " or ".join(str(size) for size in (less, less + rows) if size)
        yield f"queue {queue} is no multiple of a batch of {rows}; take {fits}"


class RingQueue(nn.Module):
    """The latest `size` rows; before they have come, random ones."""

    rows: Tensor
    position: Tensor

    def __init__(self, size: int, width: int, start: QueueStart = "unit", stream: int = 0) -> None:
        """Fill the queue.

        Args:
            size: rows it holds.
            width: D.
            start: `unit`: random unit vectors. `uniform`: entries between -sqrt(3 / D) and sqrt(3 / D), of
                unit length only on average, as CompRess begins.
            stream: which chance to start from, so that two queues of one size differ.
        """
        super().__init__()
        chance = torch.Generator().manual_seed(size + stream * 1_000_003)  # of which 32 bits count
        if start == "unit":
            rows = F.normalize(torch.randn(size, width, generator=chance), dim=-1)
        else:
            rows = (2 * torch.rand(size, width, generator=chance) - 1) * math.sqrt(3 / width)
        self.register_buffer("rows", rows)
        self.register_buffer("position", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def push(self, rows: Tensor) -> None:
        """Write rows over the oldest ones; past the end it goes on at the start.

        Args:
            rows: (B, D). Of more than `size`, the last ones stay.
        """
        size = len(self.rows)
        places = (self.position + torch.arange(len(rows), device=rows.device)) % size
        self.rows[places[-size:]] = rows[-size:].to(self.rows.dtype)
        self.position.copy_((self.position + len(rows)) % size)

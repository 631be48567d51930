"""A ring of the latest features, kept in buffers so that checkpoints hold it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class RingQueue(nn.Module):
    """The latest `size` rows; before they have come, random unit vectors."""

    rows: Tensor
    position: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        chance = torch.Generator().manual_seed(size)
        self.register_buffer("rows", F.normalize(torch.randn(size, width, generator=chance), dim=-1))
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

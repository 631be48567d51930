"""Features of many rows: each process encodes its share, everyone gets all."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from protoclip_cli.compute.processes import collect_ragged


@torch.no_grad()
def encode(
    tower: Callable[[Tensor], Tensor], batches: Iterable[Tensor], device: torch.device, width: int
) -> Tensor:
    """Run a tower over this process's share and join the shares of all processes, in rank order.

    Args:
        tower: views to features, (b, ...) to (b, D).
        batches: this process's views.
        device: where the tower is.
        width: D.

    Returns:
        (n, D), float32, on the CPU.
    """
    done = [tower(batch.to(device, non_blocking=True)).float() for batch in batches]
    mine = torch.cat(done) if done else torch.zeros(0, width, device=device)
    return collect_ragged(mine).cpu()

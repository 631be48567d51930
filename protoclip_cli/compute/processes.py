"""The processes that train together, and what they tell each other.

Everything above this folder is written for one process. The functions here give it what one process would
have seen: `collect` joins the rows of all processes, with gradients; `mean_gradients` averages what they
learned. With both, a loss that computes its own rows of the collected batch has the gradient of one big
process (`tests/distributed` holds that to account).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from protoclip_cli.core import errors
from protoclip_cli.core.errors import ProtoclipError

_BUCKET_BYTES = 32 * 2**20


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0. Before they have met and after they have parted, the launcher knows."""
    met = dist.is_available() and dist.is_initialized()
    return dist.get_rank() if met else int(os.environ.get("RANK") or 0)


def is_main() -> bool:
    """Whether this process writes and speaks for all."""
    return rank() == 0


def launched() -> bool:
    """Whether a launcher (torchrun, accelerate, srun) started this process."""
    return "WORLD_SIZE" in os.environ and "RANK" in os.environ


def local_world() -> int:
    """How many of the processes share this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE") or world())


def available_cores() -> int:
    """CPU cores for this process: what the scheduler granted, shared by the processes of this machine."""
    granted = int(os.environ.get("SLURM_CPUS_PER_TASK") or 0) * local_world()
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, (min(granted, usable) if granted else usable) // local_world())


def share(count: int) -> range:
    """This process's contiguous share of `count` things, in rank order and as even as possible."""
    start, stop = (count * r // world() for r in (rank(), rank() + 1))
    return range(start, stop)


class _AllGather(torch.autograd.Function):
    """Join rows; the gradient of a row is the sum of what all processes have for it."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.rows = len(rows)
        return _gather(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total[rank() * ctx.rows : (rank() + 1) * ctx.rows]


def collect(rows: Tensor) -> Tensor:
    """Join the rows of all processes, in rank order, with gradients.

    Args:
        rows: (b, ...), the same shape on every process.

    Returns:
        (B, ...), with B = b * world().
    """
    if world() == 1:
        return rows
    if rows.requires_grad:
        return _AllGather.apply(rows)  # type: ignore[no-any-return]
    return _gather(rows)


def _gather(rows: Tensor) -> Tensor:
    parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(world())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def collect_ragged(rows: Tensor) -> Tensor:
    """Join the rows of all processes where each may have another number of them; no gradients."""
    if world() == 1:
        return rows
    counts = _gather(torch.tensor([len(rows)], device=rows.device)).tolist()
    padded = rows.new_zeros((max(counts), *rows.shape[1:]))
    padded[: len(rows)] = rows
    parts = _gather(padded).unflatten(0, (world(), max(counts)))
    return torch.cat([part[:n] for part, n in zip(parts, counts, strict=True)])


def mean_over_processes(values: Tensor) -> Tensor:
    """The mean of a tensor over processes; no gradients."""
    if world() == 1:
        return values
    total = values.detach().clone()
    dist.all_reduce(total)
    return total / world()


def sum_over_processes(values: Tensor) -> Tensor:
    """The sum of a tensor over processes; no gradients."""
    if world() == 1:
        return values
    total = values.detach().clone()
    dist.all_reduce(total)
    return total


def mean_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace each gradient by its mean over processes.

    Which parameters have a gradient must be the same on all processes. Gradients travel in buckets that
    depend on the parameters alone, so a continued run adds in the same order as an uninterrupted one
    (DistributedDataParallel rebuilds its buckets after the first step, and its sums with them).
    """
    if world() == 1:
        return
    pending = []
    for bucket in _buckets([p.grad for p in parameters if p.grad is not None]):
        flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
        pending.append((bucket, flat, dist.all_reduce(flat, async_op=True)))
    for bucket, flat, work in pending:
        work.wait()
        parts = (flat / world()).split([gradient.numel() for gradient in bucket])
        for gradient, mean in zip(bucket, parts, strict=True):
            gradient.copy_(mean.view_as(gradient))


def _buckets(gradients: Sequence[Tensor]) -> Iterable[list[Tensor]]:
    """Gradients of one type, about 32 MiB at a time."""
    bucket: list[Tensor] = []
    for gradient in gradients:
        full = sum(g.nbytes for g in bucket) + gradient.nbytes > _BUCKET_BYTES
        if bucket and (full or gradient.dtype != bucket[0].dtype):
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket


def wait_for_all() -> None:
    """Return when every process is here."""
    if world() > 1:
        dist.barrier()


def from_main(value: Any) -> Any:
    """What the main process has, on all of them. Small plain values only; it travels as JSON."""
    return _from_rank(0, value)


def _from_rank(source: int, value: Any) -> Any:
    if world() == 1:
        return value
    import json

    device, own = _device(), rank() == source
    text = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8) if own else None
    size = torch.tensor([0 if text is None else len(text)], device=device)
    dist.broadcast(size, source)
    data = torch.zeros(int(size), dtype=torch.uint8, device=device) if text is None else text.to(device)
    dist.broadcast(data, source)
    return json.loads(bytes(data.cpu().numpy()).decode())


def on_all(claims: Tensor) -> Tensor:
    """Which claims (n,) hold on every process; on the CPU."""
    if world() == 1:
        return claims
    held = claims.to(_device(), torch.uint8)
    dist.all_reduce(held, dist.ReduceOp.MIN)
    return held.bool().cpu()


def fail_together(error: ProtoclipError | None) -> None:
    """Raise on all processes what one of them has met, so that none waits for one that has given up.

    Args:
        error: what this process has met; None: nothing.

    Raises:
        ProtoclipError: of the first process that has met one, in its words.
    """
    if world() == 1:
        if error is not None:
            raise error
        return
    failed = _gather(torch.tensor([error is not None], dtype=torch.uint8, device=_device())).tolist()
    if not any(failed):
        return
    said = (type(error).__name__, str(error), error.hint) if error is not None else None
    kind, message, hint = _from_rank(failed.index(1), said)
    raise getattr(errors, kind, ProtoclipError)(message, hint=hint) from error


def _device() -> torch.device:
    """Where what processes tell each other must be."""
    return torch.device("cuda") if dist.get_backend() == "nccl" else torch.device("cpu")

"""Cores, shared memory and disks."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from protoclip_cli.store.checkpoints import free_bytes
from protoclip_cli.workflows.checks.base import Finding, note, ok, problem, size

_SHM = 2**30
"""Loader workers hand batches over in shared memory. Docker gives 64 MB unless told otherwise."""
_DISK = 2**30
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def cores() -> Iterator[Finding]:
    """How many cores this process may use, and what loader workers and threads will make of them."""
    from protoclip_cli.compute.processes import available_cores

    usable, there = available_cores(), os.cpu_count() or 1
    rest = "" if usable == there else f" of {there} (affinity, Slurm)"
    yield ok("cores", f"{usable} cores{rest}; `batch.workers: auto` counts on them")
    if quota := _quota():
        fix = f"set batch.workers and OMP_NUM_THREADS to {max(1, round(quota))}, or give the container more"
        if quota < usable:
            yield note("cores", f"the container may use {quota:g} cores' time, and sees {usable}", fix)
    for name in _THREADS:
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > usable:
            yield problem(
                "cores", f"{name} is {value}, more than the {usable} cores", f"export {name}={usable}"
            )


def _quota(file: Path = Path("/sys/fs/cgroup/cpu.max")) -> float | None:
    """Cores' worth of time that a control group grants; None: no limit is known."""
    try:
        quota, period = file.read_text().split()
        return int(quota) / int(period)
    except (OSError, ValueError):
        return None


def shared_memory(place: Path = Path("/dev/shm")) -> Iterator[Finding]:
    """Whether loader workers have room to hand batches over.

    Args:
        place: where shared memory is mounted.
    """
    if not place.is_dir():
        yield note("shared memory", f"there is no {place} on this system", None)
        return
    free = free_bytes(place)
    if free < _SHM:
        fix = "docker run --shm-size=8g (or --ipc=host), or batch.workers: 0"
        yield problem(
            "shared memory", f"{place} has {size(free)} free; loader workers may die of a bus error", fix
        )
    else:
        yield ok("shared memory", f"{place} has {size(free)} free")


def disks(runs: Path | None = None) -> Iterator[Finding]:
    """Room for runs and temporary files.

    Args:
        runs: where runs go. None: `runs` here.
    """
    places = {"runs": runs or Path("runs"), "temporary files": Path(tempfile.gettempdir())}
    for what, place in places.items():
        free = free_bytes(place.absolute())
        says = f"{size(free)} free for {what} in {place}"
        if free < _DISK:
            yield problem("disk", says, "make room: a checkpoint takes three times the model")
        else:
            yield ok("disk", says)

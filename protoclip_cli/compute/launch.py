"""Several processes on this machine, without another tool: `--nproc N`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from protoclip_cli.compute.processes import launched
from protoclip_cli.core.errors import UsageError

_SIGNALS = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"
_SHUTDOWN_SECONDS = 300


def launch(nproc: str, said: Callable[[], int | None]) -> int:
    """Run this command in several processes, and return their exit code.

    Args:
        nproc: how many; `auto`: one per GPU, or one without any.
        said: the exit code the run itself wrote down, which launchers swallow.

    Raises:
        UsageError: a launcher is at work already, or `nproc` is no number.
    """
    if launched():
        raise UsageError("--nproc was given and a launcher is at work too", hint="use one of the two")
    count = _count(nproc)
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    _share_cores(count)
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        signals_to_handle=_SIGNALS,
        shutdown_timeout=_SHUTDOWN_SECONDS,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "protoclip_cli", *_without_nproc(sys.argv[1:]))
    except ChildFailedError as failed:
        code = failed.get_first_failure()[1].exitcode
        return said() or (code if code > 0 else 1)
    except SignalException:
        return said() or 75
    return 0


def _count(nproc: str) -> int:
    if nproc == "auto":
        import torch

        return max(1, torch.cuda.device_count())
    if not nproc.isdigit() or int(nproc) == 0:
        raise UsageError(f"--nproc takes a number from 1 or `auto`, not '{nproc}'")
    return int(nproc)


def _share_cores(count: int) -> None:
    """Let the processes share the cores; torch's launcher would give each one thread."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // count)))


def _without_nproc(arguments: list[str]) -> list[str]:
    kept, skip = [], False
    for argument in arguments:
        if skip:
            skip = False
        elif argument == "--nproc":
            skip = True
        elif not argument.startswith("--nproc="):
            kept.append(argument)
    return kept

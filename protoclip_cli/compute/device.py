"""The device, its precision, and the settings that make it fast or repeatable."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field

from protoclip_cli.core.errors import MissingExtra, RecipeError
from protoclip_cli.core.spec import Spec

Precision = Literal["fp32", "bf16", "fp16"]
_ACCELERATE = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


class ComputeSpec(Spec):
    """How a recipe writes what it computes with."""

    precision: Precision = "fp32"
    """Precision of the towers. Objectives always compute in float32."""
    compile: bool = False
    """Compile the towers. Outside the promise of exact resume."""
    grad_checkpointing: bool = False
    """Compute activations again in the backward pass, to save memory."""
    deterministic: bool = False
    """Use only repeatable kernels on CUDA, for exact resume. Slower. The CPU is always repeatable."""
    timeout_minutes: float = Field(60, gt=0)
    """How long a process waits for the others."""


def start(spec: ComputeSpec, trackers: Sequence[str] = (), folder: Path | None = None) -> Any:
    """Start Accelerate: joins the processes of a launcher, or is one process.

    Args:
        spec: what to compute with. Precision comes from here, because `accelerate launch` without a
            configuration exports `no` for it.
        trackers: names of Accelerate's trackers to prepare.
        folder: where they may write.

    Raises:
        MissingExtra: a tracker is not installed.
        RecipeError: the device cannot compute in this precision.
    """
    for tracker in trackers:
        if importlib.util.find_spec(tracker) is None:
            raise MissingExtra(
                f"the tracker {tracker} is not installed", hint=f"pip install 'protoclip[{tracker}]'"
            )
    from accelerate import Accelerator, InitProcessGroupKwargs
    from accelerate.state import AcceleratorState
    from accelerate.utils import ProjectConfiguration

    if torch.cuda.is_available():
        _tune_cuda(spec.deterministic)
    elif spec.precision == "fp16":
        raise RecipeError("compute.precision: fp16 needs a GPU", hint="use bf16 or fp32 on a CPU")
    AcceleratorState._reset_state()  # a notebook may train in bf16 and then evaluate in fp32
    timeout = InitProcessGroupKwargs(timeout=timedelta(minutes=spec.timeout_minutes))
    project = ProjectConfiguration(str(folder), str(folder / "tensorboard")) if folder else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # notices to users of Accelerate's own loaders
        return Accelerator(
            mixed_precision=_ACCELERATE[spec.precision],
            kwargs_handlers=[timeout],
            log_with=list(trackers) or None,
            project_config=project,
        )


def _tune_cuda(deterministic: bool) -> None:
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = not deterministic
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.deterministic = True
        torch.use_deterministic_algorithms(True)


@contextmanager
def full_precision() -> Iterator[None]:
    """Let CUDA compute float32 in full inside, where training lets it round products to 10 bits (TF32)."""
    matmul, convolution = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = convolution


def peak_memory_bytes(device: torch.device) -> int:
    """The most memory the run has held: of the accelerator, else of the process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

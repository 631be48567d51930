"""The GPU as torch and faiss see it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from protoclip_cli.workflows.checks.base import Finding, note, ok, problem, size

DRIVER = Path("/proc/driver/nvidia/version")


def accelerator(driver: Path = DRIVER) -> Iterator[Finding]:
    """Whether torch can use the GPU that is there, and whether faiss can too.

    Args:
        driver: the file that is there where NVIDIA's driver is.
    """
    import torch

    built = torch.version.cuda
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(number)
            yield ok(
                "gpu", f"{about.name}, {size(about.total_memory)}, CUDA {built} in torch {torch.__version__}"
            )
    elif driver.is_file():
        fix = "install a torch that fits the driver (pytorch.org); look at CUDA_VISIBLE_DEVICES too"
        built_for = f"is built for CUDA {built}" if built else "is built without CUDA"
        yield problem(
            "gpu",
            f"there is an NVIDIA driver, and torch {torch.__version__}, which {built_for}, sees no GPU",
            fix,
        )
    else:
        yield note("gpu", f"no GPU; torch {torch.__version__} computes on the CPU", None)
    yield from _faiss(torch.cuda.is_available(), built)


def _faiss(gpu: bool, built: str | None) -> Iterator[Finding]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its bindings
            import faiss
    except ImportError:
        yield note(
            "gpu",
            "faiss is not installed; `prototypes.backend: faiss` cannot be used",
            "pip install faiss-cpu",
        )
        return
    except Exception as error:  # a broken binary has errors of every kind
        yield problem(
            "gpu", f"faiss cannot be loaded: {error}", "install it again; `backend: torch` needs none"
        )
        return
    sees = int(faiss.get_num_gpus()) if hasattr(faiss, "get_num_gpus") else 0
    yield ok(
        "gpu", f"faiss {faiss.__version__} sees {sees} GPUs; `prototypes.backend: auto` does not need it"
    )
    if gpu and not sees:
        yield note(
            "gpu", "torch sees a GPU and faiss none", "use `prototypes.backend: torch`, which clusters on it"
        )
    major = _cuda_of_faiss()
    if gpu and sees and built and major and major != built.split(".")[0]:
        says = f"torch is built for CUDA {built} and faiss for CUDA {major}: two of them in one process"
        yield note("gpu", says, "if clustering crashes, use `prototypes.backend: torch`")


def _cuda_of_faiss() -> str | None:
    """The major version of CUDA that faiss-gpu asks for."""
    try:
        wanted: Any = metadata.requires("faiss-gpu") or ()
    except metadata.PackageNotFoundError:
        return None
    majors = {line.partition("-cu")[2][:2] for line in wanted if line.startswith("nvidia-") and "-cu" in line}
    return min(majors, default=None)

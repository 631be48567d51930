"""protoclip: from a list of image-text pairs to a trained, evaluated image-text model."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "evaluate", "extract_teacher", "gather", "summarize", "train"]


def __getattr__(name: str) -> Any:
    """Load a workflow when it is asked for, so that `import protoclip_cli` stays fast."""
    if name in {"train", "evaluate", "extract_teacher", "gather", "summarize"}:
        import importlib

        return getattr(importlib.import_module(f"protoclip_cli.workflows.{name}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

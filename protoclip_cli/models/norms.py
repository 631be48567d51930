"""What batch norms remember."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def norms_remember_nothing(module: nn.Module) -> Iterator[None]:
    """Undo what batch norms remember inside: rows that are seen twice must count once."""
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.training]
    before = [{name: buffer.clone() for name, buffer in norm.named_buffers()} for norm in norms]
    try:
        yield
    finally:  # a forward pass that is done again for its gradients ends early, by an exception
        with torch.no_grad():
            for norm, buffers in zip(norms, before, strict=True):
                for name, buffer in norm.named_buffers():
                    buffer.copy_(buffers[name])

"""A model in another mode for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from torch import nn


def evaluating(module: nn.Module) -> AbstractContextManager[None]:
    """Evaluation mode inside; each part's own mode afterwards."""
    return in_mode(module, training=False)


@contextmanager
def in_mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """One mode for all parts inside; each part's own mode afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.train(training)
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode

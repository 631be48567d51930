"""First weights of modules that an objective owns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from protoclip_cli.compute.randomness import key


@contextmanager
def own_chance(purpose: str) -> Iterator[None]:
    """Inside, torch draws the same numbers in every process, whatever was drawn before; after, nothing was.

    >>> with own_chance("example"):
    ...     first = torch.rand(3)
    >>> with own_chance("example"):
    ...     bool((torch.rand(3) == first).all())
    True
    """
    with torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would also seed GPUs, which nobody sets back.
        torch.default_generator.manual_seed(key(0, purpose) >> 1)
        yield

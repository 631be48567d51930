"""Gradient checkpointing: activations of a module are computed again in the backward pass instead of kept.

Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016. https://arxiv.org/abs/1604.06174
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from protoclip_cli.models.norms import norms_remember_nothing


def recompute(module: nn.Module) -> None:
    """Let a module keep nothing but its input for the backward pass.

    Its batch norms remember each batch once, though they see it twice. The module gets a class of its own and
    not a forward of its own, because a copy of it would go on calling that of the original.
    """
    kind: Any = type(module)

    def forward(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return kind.forward(self, *args, **kwargs)

        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), norms_remember_nothing(self)

        call = partial(kind.forward, self)
        return checkpoint(call, *args, use_reentrant=False, context_fn=contexts, **kwargs)

    module.__class__ = type(f"Recomputed{kind.__name__}", (kind,), {"forward": forward})


def recompute_stages(module: nn.Module) -> bool:
    """Let the stages of a network with batch norms keep nothing but their inputs. False where none are found.

    A stage is a sequence of blocks; one of sequences is taken apart.
    """
    found = False
    for child in module.children():
        if not isinstance(child, nn.Sequential) or not has_norms(child):
            continue
        if all(isinstance(part, nn.Sequential) for part in child):
            found |= recompute_stages(child)
        elif any(has_norms(part) and not isinstance(part, _BatchNorm) for part in child):
            recompute(child)
            found = True
    return found


def has_norms(module: nn.Module) -> bool:
    """Whether batch norms are inside, which see a batch again when it is computed again."""
    return any(isinstance(part, _BatchNorm) for part in module.modules())

"""open_clip's image towers without the projection that ends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from protoclip_cli.core.errors import DataError


@contextmanager
def without_projection(visual: Any) -> Iterator[None]:
    """Let an image tower end before its projection, inside.

    A vision transformer ends in a matrix; a residual network in the last map of its attention pool; a tower
    of timm in a linear map or perceptron behind its trunk.

    Raises:
        DataError: the tower is none of these, or its pooling projects by itself.
    """
    with _replaced(*_projection(visual)):
        yield


def _projection(visual: Any) -> tuple[Any, str, Any]:
    """Who holds the projection, by which name, and what to put in its place."""
    if hasattr(visual, "attnpool"):
        return visual.attnpool, "c_proj", _Same(visual.attnpool.c_proj)
    if hasattr(visual, "trunk"):
        for name in ("proj", "mlp"):
            if hasattr(visual.head, name) and not hasattr(visual.head, "pool"):
                return visual.head, name, nn.Identity()
    elif hasattr(visual, "proj"):
        return visual, "proj", None
    raise DataError(
        "this image tower has no features before a projection", hint="use its embeddings: --feature embedding"
    )


class _Same(nn.Module):
    """A linear map that changes nothing, for code that reads its weight and bias."""

    def __init__(self, like: nn.Linear) -> None:
        super().__init__()
        weight = torch.eye(like.in_features, dtype=like.weight.dtype, device=like.weight.device)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", weight.new_zeros(like.in_features))


@contextmanager
def _replaced(owner: Any, name: str, by: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, by)
    try:
        yield
    finally:
        setattr(owner, name, before)

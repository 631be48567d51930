"""open_clip's towers without the projection that ends them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from protoclip_cli.core.errors import DataError

Projection = Callable[[Tensor], Tensor]


@contextmanager
def without_projection(visual: Any) -> Iterator[Projection]:
    """Let an image tower end before its projection, inside, and hand out that projection.

    A vision transformer ends in a matrix; a residual network in the last map of its attention pool; a tower
    of timm in a linear map or perceptron behind its trunk.

    Raises:
        DataError: the tower is none of these, or its pooling projects by itself.
    """
    owner, name, instead = _image_projection(visual)
    with _replaced(owner, name, instead) as before:
        yield _as_function(before)


@contextmanager
def without_text_projection(clip: Any) -> Iterator[Projection]:
    """Let a text tower end before its projection, inside, and hand out that projection.

    Raises:
        DataError: the tower has none that could be left out.
    """
    text = getattr(clip, "text", clip)
    if hasattr(text, "text_projection"):
        owner, name, instead = text, "text_projection", None
    elif isinstance(getattr(text, "proj", None), nn.Module):
        owner, name, instead = text, "proj", nn.Identity()
    else:
        raise DataError("this text tower has no features before a projection", hint="use its embeddings")
    with _replaced(owner, name, instead) as before:
        yield _as_function(before)


def _image_projection(visual: Any) -> tuple[Any, str, Any]:
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


def _as_function(projection: Any) -> Projection:
    """A module, a matrix, or nothing at all, as what it does to features."""
    if projection is None:
        return lambda features: features
    if isinstance(projection, nn.Module):
        return projection
    return lambda features: features @ projection


class _Same(nn.Module):
    """A linear map that changes nothing, for code that reads its weight and bias."""

    def __init__(self, like: nn.Linear) -> None:
        super().__init__()
        weight = torch.eye(like.in_features, dtype=like.weight.dtype, device=like.weight.device)
        self.register_buffer("weight", weight)
        self.register_buffer("bias", weight.new_zeros(like.in_features))


@contextmanager
def _replaced(owner: Any, name: str, by: Any) -> Iterator[Any]:
    before = getattr(owner, name)
    setattr(owner, name, by)
    try:
        yield before
    finally:
        setattr(owner, name, before)

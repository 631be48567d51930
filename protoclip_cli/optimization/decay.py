"""Which parameters weight decay leaves alone: the rules of the originals, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

DecayRule = Literal["protoclip", "open_clip", "itra"]

_PROTOCLIP_NAMES = ("bn", "ln", "bias", "logit_scale", "log_scale", "projection_head")
_EMBEDDINGS = ("positional_embedding", "class_embedding", "pos_embed", "cls_token", "cls_emb")


def _protoclip(name: str, dimensions: int) -> bool:
    """ProtoCLIP: vectors and scalars, and names that contain one of its words."""
    return dimensions < 2 or any(word in name for word in _PROTOCLIP_NAMES)


def _open_clip(name: str, dimensions: int) -> bool:
    """open_clip: vectors and scalars, and what its towers declare: position and class embeddings."""
    return dimensions < 2 or name.rpartition(".")[2] in _EMBEDDINGS


def _itra(name: str, dimensions: int) -> bool:
    """ITRA: vectors, scalars and biases."""
    return dimensions < 2 or name.endswith(".bias")


_RULES: Mapping[str, Callable[[str, int], bool]] = {
    "protoclip": _protoclip,
    "open_clip": _open_clip,
    "itra": _itra,
}


def without_decay(rule: DecayRule, name: str, dimensions: int) -> bool:
    """Whether weight decay leaves a parameter alone.

    Args:
        rule: whose rule.
        name: full name of the parameter.
        dimensions: how many its shape has.

    >>> [without_decay(rule, "positional_embedding", 2) for rule in ("open_clip", "itra")]
    [True, False]
    """
    return _RULES[rule](name, dimensions)

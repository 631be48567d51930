"""The names that the original ProtoCLIP gives its weights, and ours for the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from protoclip_cli.models.heads import HEADS, HeadSpec

HEAD = "proto"
"""What we call the one head that the original has."""
_SIDES = ("image", "text")
_NO_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")
_HEADS = tuple(f"{side}_projection_heads." for side in _SIDES)


def is_of_protoclip(state: Mapping[str, Tensor]) -> bool:
    """Whether weights are of the original ProtoCLIP, which always uses QuickGELU.

    >>> is_of_protoclip({"logit_scale_proto": None}), is_of_protoclip({"logit_scale": None})
    (True, False)
    """
    return "logit_scale_proto" in state or any(
        name.startswith(f"{side}_projection_head.") for name in state for side in _SIDES
    )


def our_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights under our names, without what is no weight of a model.

    >>> list(our_names({"image_projection_head.0.bias": None, "visual.proj": None, "vocab_size": None}))
    ['image_projection_heads.proto.0.bias', 'visual.proj']
    """
    aside = (*_NO_WEIGHTS, "logit_scale_proto")  # the latter belongs to the loss
    return {_our_name(name): tensor for name, tensor in state.items() if name not in aside}


def _our_name(name: str) -> str:
    for side in _SIDES:
        if name.startswith(f"{side}_projection_head."):
            inner = name.removeprefix(f"{side}_projection_head.")
            return f"{side}_projection_heads.{HEAD}.{inner}"
    return name


def split_heads(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights under our names: those of the towers, and those of heads."""
    heads = {name: tensor for name, tensor in state.items() if name.startswith(_HEADS)}
    return {name: tensor for name, tensor in state.items() if name not in heads}, heads


def head_specs(state: Mapping[str, Tensor]) -> dict[str, HeadSpec]:
    """The original's head, read off its weights under our names; nothing where there is none."""
    prefix = f"image_projection_heads.{HEAD}."
    linear = [tensor for name, tensor in state.items() if name.startswith(prefix) and tensor.ndim == 2]
    if not linear:
        return {}
    shape: dict[str, Any] = {"hidden": linear[0].shape[0], "dim": linear[-1].shape[0]}
    return {HEAD: HEADS.spec("mlp").model_validate({"kind": "mlp", "layers": len(linear) - 1, **shape})}

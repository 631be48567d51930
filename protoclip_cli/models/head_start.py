"""Heads that start from weights that came with those of the towers."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.towers import Towers


def _heads_in(names: Collection[str]) -> set[str]:
    return {name.split(".")[1] for name in names}


def heads_taken(towers: Towers, wanted: Collection[str]) -> str:
    """Which heads start from weights, and which weights nobody asked for, as a sentence."""
    found = _heads_in(towers.head_weights)
    both, idle = sorted(found & set(wanted)), sorted(found - set(wanted))
    parts = [f"heads that start from the weights: {', '.join(both) or 'none'}"]
    if idle:
        parts.append(f"in the weights and not in model.heads: {', '.join(idle)}")
    return "; ".join(parts)


@torch.no_grad()
def start_heads(model: DualEncoder, weights: Mapping[str, Tensor]) -> None:
    """Fill those heads of a model for which there are weights.

    Args:
        model: whose heads have started from chance.
        weights: under the model's own names; of heads the model does not have, they are left alone.

    Raises:
        RecipeError: a head of the model has another shape.
    """
    own = model.state_dict()
    for head in sorted(_heads_in(weights) & model.head_specs.keys()):
        prefixes = (f"image_projection_heads.{head}.", f"text_projection_heads.{head}.")
        mine = {name: tensor for name, tensor in own.items() if name.startswith(prefixes)}
        theirs = {name: tensor for name, tensor in weights.items() if name.startswith(prefixes)}
        wrong = mine.keys() ^ theirs.keys()
        wrong |= {name for name in mine.keys() & theirs.keys() if mine[name].shape != theirs[name].shape}
        if wrong:
            raise RecipeError(
                f"model.heads.{head} is not the head in the weights: {min(wrong)} differs",
                hint="give it their layers, hidden and dim, or another name to start it from chance",
            )
        for name, tensor in theirs.items():
            mine[name].copy_(tensor)

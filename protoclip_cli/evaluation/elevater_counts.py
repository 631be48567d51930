"""How large a model is, as ELEVATER's leaderboard counts."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from protoclip_cli.models.dual_encoder import DualEncoder


@dataclass(frozen=True, slots=True)
class ParameterCounts:
    """How large a model is. The leaderboard's README defines `params` as backbone plus head."""

    num_trainable_params: int
    """What was trained for the data set; 0 for zero-shot."""
    num_params: int
    """Backbone and head; for zero-shot the backbone."""
    num_visual_params: int
    """The image tower."""
    num_backbone_params: int
    """Both towers."""


def count_parameters(model: DualEncoder, head: nn.Module | None = None, trained: int = 0) -> ParameterCounts:
    """Count the towers of a model and the classifier on top.

    Args:
        model: heads for training objectives are not counted, as they play no part in a prediction.
        head: the classifier. None: zero-shot, which has none.
        trained: how many numbers were fitted to the data set.
    """
    sizes = {name: parameter.numel() for name, parameter in model.towers.named_parameters()}
    backbone = sum(sizes.values())
    return ParameterCounts(
        num_trainable_params=trained,
        num_params=backbone + (0 if head is None else sum(p.numel() for p in head.parameters())),
        num_visual_params=sum(size for name, size in sizes.items() if model.towers.is_image(name)),
        num_backbone_params=backbone,
    )

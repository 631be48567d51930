"""Whether a tower drops something while it learns, so that it encodes the same input in more than one way."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from protoclip_cli.core.types import Modality
from protoclip_cli.models.towers import Towers

_RATES = ("p", "prob", "drop_prob", "dropout", "attention_dropout")
"""Names that libraries give the rate of a module that drops by a function."""


def has_dropout(module: nn.Module) -> bool:
    """Whether a module or one in it drops something in training.

    >>> has_dropout(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)))
    True
    >>> has_dropout(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.0)))
    False
    """
    return any(map(_drops, module.modules()))


def tower_has_dropout(towers: Towers, modality: Modality) -> bool:
    """Whether one of the towers does."""
    wanted = modality is Modality.IMAGE
    # What is no tower's alone holds towers, and says nothing of its own.
    leaves = ((name, module) for name, module in towers.named_modules() if name)
    return any(_drops(module) for name, module in leaves if towers.is_image(name) is wanted)


def _drops(module: nn.Module) -> bool:
    """Whether a module drops something by itself."""
    if isinstance(module, _DropoutNd):
        return module.p > 0
    rates = (vars(module).get(name) for name in _RATES)
    return any(isinstance(rate, float) and 0 < rate < 1 for rate in rates)

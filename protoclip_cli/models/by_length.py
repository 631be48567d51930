"""Texts of like length together, so that short ones do not pay for the padding of long ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_GROUP_ROWS, _GROUPS = 32, 16
"""Smaller groups, or more of them, cost more than the padding they save."""


def by_length(tower: Callable[[Tensor], Tensor], tokens: Tensor, pad: int) -> Tensor:
    """Run a text tower on groups of texts of like length.

    For towers in which nothing that follows a text can reach its feature. On the CPU only: elsewhere lengths
    would have to be waited for, and small groups would not fill the device.

    Args:
        tower: (b, L) tokens to (b, D).
        tokens: (b, L), long.
        pad: the token that fills up short texts.

    Returns:
        (b, D), in the order of `tokens`.
    """
    groups = min(len(tokens) // _GROUP_ROWS, _GROUPS)
    if tokens.device.type != "cpu" or groups < 2:
        return tower(tokens)
    lengths = tokens.shape[1] - (tokens != pad).flip(1).int().argmax(1)
    order = lengths.argsort(stable=True)
    features = [tower(tokens[rows, : max(int(lengths[rows[-1]]), 1)]) for rows in order.tensor_split(groups)]
    return torch.cat(features)[order.argsort()]

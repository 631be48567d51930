"""Parameter groups: who learns at which rate, and whether it decays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from torch import nn

from protoclip_cli.optimization.decay import DecayRule, without_decay


@dataclass(slots=True)
class Group:
    """Parameters that share a rate and a weight decay."""

    side: str
    """`image`, or `rest` for all that follows the text rate: text tower, heads and objectives."""
    decays: bool
    names: list[str] = field(default_factory=list)
    parameters: list[nn.Parameter] = field(default_factory=list)


def group_parameters(
    named: Iterable[tuple[str, nn.Parameter]], image_names: frozenset[str], rule: DecayRule
) -> list[Group]:
    """Four groups, some perhaps empty and left out: image and rest, with and without decay.

    Args:
        named: all parameters with their names; the same order gives the same groups.
        image_names: names of the image tower's parameters.
        rule: which parameters do not decay.
    """
    groups = {(side, decays): Group(side, decays) for side in ("image", "rest") for decays in (False, True)}
    for name, parameter in named:
        side = "image" if name in image_names else "rest"
        group = groups[side, not without_decay(rule, name, parameter.ndim)]
        group.names.append(name)
        group.parameters.append(parameter)
    return [group for group in groups.values() if group.parameters]

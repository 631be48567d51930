"""Parameter groups: who learns at which rate, and whether it decays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from torch import nn

from protoclip_cli.optimization.decay import DecayRule, without_decay

_ALL_THE_SAME: Mapping[str, float] = MappingProxyType({})


@dataclass(slots=True)
class Group:
    """Parameters that share a rate and a weight decay."""

    side: str
    """`image`, or `rest` for all that follows the text rate: text tower, heads and objectives."""
    decays: bool
    scale: float = 1.0
    """What the rate of its side is multiplied by."""
    names: list[str] = field(default_factory=list)
    parameters: list[nn.Parameter] = field(default_factory=list)


def group_parameters(
    named: Iterable[tuple[str, nn.Parameter]],
    image_names: frozenset[str],
    rule: DecayRule,
    scales: Mapping[str, float] = _ALL_THE_SAME,
) -> list[Group]:
    """Groups in a fixed order: image before rest, without decay before with it, and by scale.

    Args:
        named: all parameters with their names; the same order gives the same groups.
        image_names: names of the image tower's parameters.
        rule: which parameters do not decay.
        scales: what the rates of parameters are multiplied by, by name; 1 for those it leaves out.
    """
    groups: dict[tuple[str, bool, float], Group] = {}
    for name, parameter in named:
        side = "image" if name in image_names else "rest"
        key = side, not without_decay(rule, name, parameter.ndim), scales.get(name, 1.0)
        group = groups.setdefault(key, Group(*key))
        group.names.append(name)
        group.parameters.append(parameter)
    return [groups[key] for key in sorted(groups)]

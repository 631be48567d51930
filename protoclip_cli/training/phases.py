"""What is active in an episode: which objectives, which towers, and what they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from protoclip_cli.core.needs import Needs, merge
from protoclip_cli.core.types import Modality
from protoclip_cli.objectives import ObjectiveSpec
from protoclip_cli.training.specs import TowerSpec


@dataclass(frozen=True, slots=True)
class Phase:
    """The part of a recipe that an episode sees."""

    episode: int
    objectives: tuple[str, ...]
    """Names of the active objectives."""
    needs: Needs
    learning: frozenset[Modality]
    """Sides whose tower has gradients."""
    momentum: Needs | None = None
    """What the objectives need that read the momentum copy; None: no objective does."""


def phase_of(
    episode: int, objectives: Mapping[str, ObjectiveSpec], towers: Mapping[Modality, TowerSpec]
) -> Phase:
    """What is active in an episode."""
    active = tuple(name for name, spec in objectives.items() if spec.active(episode))
    needs = merge(objectives[name].needs() for name in active)
    running = {side for side in Modality if side.value in needs.towers}
    learning = {
        side for side in running if towers[side].learns(episode) or towers[side].at_rest == "zero_rate"
    }
    led = merge(objectives[name].needs() for name in active if objectives[name].needs().momentum)
    copied = Needs(image_views=led.image_views, text_views=led.text_views, heads=led.heads)
    return Phase(episode, active, needs, frozenset(learning), copied if led.momentum else None)


def has_prototypes(episode: int, objectives: Mapping[str, ObjectiveSpec]) -> bool:
    """Whether an objective of an episode reads prototypes."""
    return any(spec.active(episode) and spec.needs().prototypes for spec in objectives.values())


def anchors_of(episodes: int, objectives: Mapping[str, ObjectiveSpec], every: int) -> tuple[int, ...]:
    """For each episode, the one whose rows it trains on: its own, or that of the latest clustering.

    Clusters belong to rows, so episodes that share a clustering share its rows. (The original drew new rows
    and kept the old labels.)

    Args:
        episodes: of the run.
        objectives: by name.
        every: how many episodes share a clustering.
    """
    anchors: list[int] = []
    for episode in range(episodes):
        anchor = anchors[-1] if anchors else 0
        shares = episode - anchor < every and all(has_prototypes(e, objectives) for e in (anchor, episode))
        anchors.append(anchor if shares else episode)
    return tuple(anchors)

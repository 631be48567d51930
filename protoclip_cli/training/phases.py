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
    """Sides whose tower learns."""


def phase_of(
    episode: int, objectives: Mapping[str, ObjectiveSpec], towers: Mapping[Modality, TowerSpec]
) -> Phase:
    """What is active in an episode."""
    active = tuple(name for name, spec in objectives.items() if spec.active(episode))
    needs = merge(objectives[name].needs() for name in active)
    learning = {side for side in Modality if side.value in needs.towers and towers[side].learns(episode)}
    return Phase(episode, active, needs, frozenset(learning))

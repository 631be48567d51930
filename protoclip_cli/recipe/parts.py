"""Parts that recipes of several subcommands share."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from protoclip_cli.core.spec import Spec
from protoclip_cli.data.pairs import PAIRS
from protoclip_cli.data.text_views import TEXT_VIEWS
from protoclip_cli.data.views import IMAGE_VIEWS
from protoclip_cli.evaluation.probes import PROBES
from protoclip_cli.evaluation.probes.base import ProbeSpec
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.objectives import OBJECTIVES
from protoclip_cli.optimization.optimizers import OPTIMIZERS
from protoclip_cli.optimization.schedules import SCHEDULES
from protoclip_cli.recipe.groups import named_tasks

AnyPairs: Any = PAIRS.any
AnyImageView: Any = IMAGE_VIEWS.any
AnyTextView: Any = TEXT_VIEWS.any
AnyModel: Any = BUILDERS.any
AnyObjective: Any = OBJECTIVES.any
AnyOptimizer: Any = OPTIMIZERS.any
AnySchedule: Any = SCHEDULES.any
AnyProbe: Any = PROBES.any


class EvaluateSpec(Spec):
    """What to evaluate, and how often."""

    every: int | None = Field(None, gt=0)
    """Evaluate after every so many episodes, and always after the last. Empty: only then."""
    tasks: dict[str, AnyProbe] = Field(default_factory=dict)
    """Probes: a list of kinds and of shipped recipes of `evaluate`, or a mapping from names to probes (a name
    is a kind where none is given; `benchmarks` may name a group)."""

    weights: Literal["last", "average"] = "last"
    """Which weights of a run to evaluate: the last ones, or their average (`average` in its train recipe)."""

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, dict) and "tasks" in value:
            return {**value, "tasks": named_tasks(value["tasks"])}
        return value

    def due(self, episode: int, episodes: int) -> dict[str, ProbeSpec]:
        """The probes to run after an episode."""
        last = episode + 1 == episodes
        return {
            name: probe
            for name, probe in self.tasks.items()
            if last or ((every := probe.every or self.every) and (episode + 1) % every == 0)
        }

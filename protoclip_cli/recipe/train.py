"""The recipe of `protoclip train`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from protoclip_cli.compute.device import ComputeSpec
from protoclip_cli.core.needs import Needs, merge
from protoclip_cli.core.spec import Spec
from protoclip_cli.core.types import Modality
from protoclip_cli.objectives import ObjectiveSpec
from protoclip_cli.recipe.parts import (
    AnyImageView,
    AnyModel,
    AnyObjective,
    AnyOptimizer,
    AnyPairs,
    AnySchedule,
    AnyTextView,
    EvaluateSpec,
)
from protoclip_cli.training.specs import BatchSpec, CheckpointsSpec, EpisodesSpec, TowerSpec


class ValidationSpec(Spec):
    """Unseen pairs to measure loss and ranks on."""

    pairs: AnyPairs
    """Where they come from."""
    every: int = Field(1, gt=0)
    """Measure after every so many episodes, and after the last."""


class ViewsSpec(Spec):
    """How pairs are changed before the towers see them. Objectives say how many views they need."""

    image: AnyImageView = Field(default={"kind": "clip"}, validate_default=True)
    """Policy of the images."""
    text: AnyTextView = Field(default={"kind": "plain"}, validate_default=True)
    """Policy of the captions."""


class TowersSpec(Spec):
    """When each tower learns."""

    image: TowerSpec = TowerSpec()
    """The image tower. LiT is an image tower that stops."""
    text: TowerSpec = TowerSpec()
    """The text tower."""


class TrainRecipe(Spec):
    """One training run."""

    name: str = Field(min_length=1)
    """Any text; the run folder is runs/NAME, with unsafe characters replaced."""
    seed: int = Field(0, ge=0)
    """All chance of the run comes from it."""
    pairs: AnyPairs
    """The image-text pairs to learn from."""
    validation: ValidationSpec | None = None
    """Unseen pairs to watch."""
    views: ViewsSpec = Field(default={}, validate_default=True)
    """How pairs are changed before the towers see them."""
    model: AnyModel
    """The towers and their heads."""
    towers: TowersSpec = TowersSpec()
    """When each tower learns."""
    episodes: EpisodesSpec = EpisodesSpec()
    """How the data set is cut into episodes."""
    objectives: dict[str, AnyObjective] = Field(min_length=1)
    """The terms of the loss, by name."""
    batch: BatchSpec = BatchSpec()
    """Rows of a step."""
    optimizer: AnyOptimizer = Field(default={"kind": "adamw"}, validate_default=True)
    """Who updates the weights."""
    schedule: AnySchedule = Field(default={"kind": "cosine"}, validate_default=True)
    """The learning rate over time."""
    compute: ComputeSpec = ComputeSpec()
    """Precision and speed."""
    checkpoints: CheckpointsSpec = CheckpointsSpec()
    """When to save, and what to keep."""
    evaluate: EvaluateSpec = EvaluateSpec()
    """What to evaluate while training."""
    trackers: list[Literal["tensorboard", "wandb", "trackio"]] = Field(default_factory=list)
    """Where metrics go besides `metrics.jsonl`."""
    snapshot_code: bool = False
    """Keep the commit and the difference to it, or a copy of the working directory's code, in the run."""

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        if not name.isprintable() or not name.strip():
            raise ValueError("must be one printable line")
        return name

    @model_validator(mode="after")
    def _parts_fit(self) -> TrainRecipe:
        if mistakes := list(self._mistakes()):
            raise ValueError("; ".join(mistakes))
        return self

    def _mistakes(self) -> Iterator[str]:
        heads = self.model.heads
        for name, spec in self.objectives.items():
            for head in sorted(spec.needs().heads - heads.keys()):
                yield f"objectives.{name} reads the head '{head}', which model.heads does not have"
            if spec.needs().teacher:
                yield f"objectives.{name} reads a bank of features, and the recipe names no teacher"
        if self.batch.size % self.batch.accumulate:
            yield f"batch.size {self.batch.size} is no multiple of batch.accumulate {self.batch.accumulate}"
        for episode in range(self.episodes.count):
            active = [spec for spec in self.objectives.values() if spec.active(episode)]
            if not active:
                yield f"no objective is active in episode {episode}"
                break
            learning = {"image": self.towers.image.learns(episode), "text": self.towers.text.learns(episode)}
            if not any(learning[tower] for spec in active for tower in spec.needs().towers):
                yield f"no tower learns in episode {episode}"
                break

    @property
    def needs(self) -> Needs:
        """What all objectives need together."""
        return merge(spec.needs() for spec in self.objectives.values())

    @property
    def typed_objectives(self) -> dict[str, ObjectiveSpec]:
        """The objectives by name."""
        return dict(self.objectives)

    def tower(self, modality: Modality) -> TowerSpec:
        """When a tower learns."""
        return self.towers.image if modality is Modality.IMAGE else self.towers.text

    def resolved(self) -> dict[str, Any]:
        """Plain values of all keys; reading them gives the same recipe."""
        return self.model_dump(mode="json")

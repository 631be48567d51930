"""The recipe of `protoclip train`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from protoclip_cli.compute.device import ComputeSpec
from protoclip_cli.core.needs import Needs, merge
from protoclip_cli.core.spec import Spec
from protoclip_cli.core.types import Modality
from protoclip_cli.data.text_views import TextViewSpec
from protoclip_cli.data.views import ImageViewSpec
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
from protoclip_cli.recipe.teacher import AnyTeacher
from protoclip_cli.recipe.visualize import VisualizeSpec
from protoclip_cli.training.specs import (
    AverageSpec,
    BatchSpec,
    CheckpointsSpec,
    EpisodesSpec,
    ImageCacheSpec,
    MomentumSpec,
    PrototypesSpec,
    TowerSpec,
)


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
    augmented_image: AnyImageView | None = None
    """Policy of the image views after the first. Empty: that of the first, with other chance."""
    augmented_text: AnyTextView | None = None
    """Policy of the text views after the first. Empty: that of the first, with other chance."""

    def mistakes(self, needs: Needs) -> Iterator[str]:
        """What does not fit the views that objectives read."""
        for side, count in (("image", needs.image_views), ("text", needs.text_views)):
            if getattr(self, f"augmented_{side}") is not None and count < 2:
                yield f"views.augmented_{side} is given, and no objective reads more than one {side} view"
        for name, policy, count in self._image_shares(needs.image_views):
            if count and (mistake := policy.mistake(count)):
                yield f"views.{name}: {mistake}"

    def image_policies(self, count: int) -> list[tuple[ImageViewSpec, int]]:
        """By number of an image view: whose it is, and which one of that policy's."""
        return [
            (policy, number)
            for _, policy, views in self._image_shares(max(count, 1))
            for number in range(views)
        ]

    def _image_shares(self, count: int) -> list[tuple[str, ImageViewSpec, int]]:
        """The image policies by name, and how many views each makes."""
        if self.augmented_image is None or not count:
            return [("image", self.image, count)]
        return [("image", self.image, 1), ("augmented_image", self.augmented_image, count - 1)]

    @property
    def text_policies(self) -> list[TextViewSpec]:
        """By number of a text view: whose it is; the last one is that of any further views."""
        return [policy for policy in (self.text, self.augmented_text) if policy is not None]


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
    image_cache: ImageCacheSpec | None = None
    """Decode the images of `pairs` once, before training, and read them small from then on."""
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
    prototypes: PrototypesSpec | None = None
    """How episodes are clustered, for objectives that read prototypes."""
    teacher: AnyTeacher | None = None
    """Features of the captions from elsewhere: a bank on disk, or an encoder to make one with first."""
    momentum: MomentumSpec | None = None
    """The momentum copy of the model, for objectives that read one; there with its defaults if one does."""
    frozen_model: AnyModel | None = None
    """A trained model that stays as it is, for objectives that learn from one."""
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
    average: AverageSpec | None = None
    """Keep an average of the weights of all steps (EMA) beside the last ones, for evaluation."""
    checkpoints: CheckpointsSpec = CheckpointsSpec()
    """When to save, and what to keep."""
    evaluate: EvaluateSpec = EvaluateSpec()
    """What to evaluate while training."""
    visualize: VisualizeSpec = VisualizeSpec()
    """What to draw while training."""
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
        yield from self.views.mistakes(self.needs)
        yield from self._objective_mistakes()
        yield from self._prototype_mistakes()
        yield from self._model_mistakes()
        if self.batch.size % self.batch.accumulate:
            yield f"batch.size {self.batch.size} is no multiple of batch.accumulate {self.batch.accumulate}"
        for side in self.model.adapters.by_side:
            if self.tower(side).lock:
                yield f"towers.{side.value}.lock: an adapter freezes its tower; use its `train_also` instead"
        for episode in range(self.episodes.count):
            if mistakes := list(self._mistakes_of_episode(episode)):
                yield from mistakes
                break

    def _mistakes_of_episode(self, episode: int) -> Iterator[str]:
        active = {name: spec for name, spec in self.objectives.items() if spec.active(episode)}
        learning = {"image": self.towers.image.learns(episode), "text": self.towers.text.learns(episode)}
        if not active:
            yield f"no objective is active in episode {episode}"
        elif not any(learning[tower] for spec in active.values() for tower in spec.needs().towers):
            yield f"no tower learns in episode {episode}"
        else:
            for name, spec in active.items():
                for side in spec.needs().dropout:
                    if not learning[side]:
                        yield (
                            f"objectives.{name} compares what dropout leaves, and the {side} tower, which "
                            f"does not learn in episode {episode}, drops nothing then; mend the episodes"
                        )

    def _objective_mistakes(self) -> Iterator[str]:
        heads, reads_teacher = self.model.heads, False
        for name, spec in self.objectives.items():
            needs = spec.needs()
            for head in sorted(needs.heads - heads.keys()):
                yield f"objectives.{name} reads the head '{head}', which model.heads does not have"
            yield from (f"objectives.{name} {clash}" for clash in spec.clashes(self.objectives))
            yield from (f"objectives.{name}: {clash}" for clash in spec.clashes_with_batch(self.batch.size))
            if needs.teacher or "teacher" in needs.clustered:
                reads_teacher = True
                if self.teacher is None:
                    yield (
                        f"objectives.{name} reads a teacher, and the recipe has none; add for example "
                        "`teacher: {kind: lsa}`"
                    )
        if self.teacher is not None and not reads_teacher:
            yield "teacher is given, and no objective reads it"

    def _model_mistakes(self) -> Iterator[str]:
        """Of the models besides the one that learns, and of what towers cannot do at once."""
        readers = {name: spec.needs() for name, spec in self.objectives.items()}
        if self.momentum is not None and not any(needs.momentum for needs in readers.values()):
            yield "momentum is given, and no objective reads a momentum copy"
        frozen = [name for name, needs in readers.items() if needs.frozen]
        if frozen and self.frozen_model is None:
            yield (
                f"objectives.{frozen[0]} reads a frozen model, and the recipe has none; add for example "
                "`frozen_model: {kind: open_clip, name: ViT-B-32, pretrained: laion2b_s34b_b79k}`"
            )
        if self.frozen_model is not None:
            if not frozen:
                yield "frozen_model is given, and no objective reads it"
            if self.frozen_model.heads:
                yield "frozen_model.heads is given, and nothing reads heads of a frozen model"
            if self.frozen_model.starts_from_chance:
                yield "frozen_model has no weights, so nothing can be learned from it; give `pretrained`"
        if self.evaluate.weights == "average" and self.average is None:
            yield "evaluate.weights: average needs an average; add for example `average: {decay: 0.9999}`"
        deep = [name for name, head in self.model.heads.items() if head.of == "backbone"]
        if deep and self.compute.compile:
            yield f"compute.compile does not go with model.heads.{deep[0]}, which reads the backbone"
        writers = [name for name, needs in readers.items() if needs.token_logits]
        if deep and writers:
            yield (
                f"objectives.{writers[0]} reads logits of tokens, which does not go with "
                f"model.heads.{deep[0]} of the backbone; set its `of: embedding`"
            )

    def _prototype_mistakes(self) -> Iterator[str]:
        readers = {name: spec for name, spec in self.objectives.items() if spec.needs().prototypes}
        if readers and self.prototypes is None:
            yield (
                f"objectives.{next(iter(readers))} reads prototypes, and the recipe does not say how to make "
                "them; add for example `prototypes: {k: 300}`"
            )
        if self.prototypes is not None and not readers:
            yield "prototypes is given, and no objective reads any"
        heads = {spec.needs().heads for spec in readers.values()}
        if len(heads) > 1:
            yield "objectives that read prototypes must read the same head"
        if self.prototypes is None:
            return
        rows, k = self.episodes.rows, self.prototypes.k
        if rows != "all" and self.prototypes.largest_k > rows:
            yield f"prototypes.k {self.prototypes.largest_k} is more than the {rows} rows of an episode"
        if isinstance(k, dict):
            read = {source for spec in readers.values() for source in spec.needs().clustered}
            if lacking := sorted(read - k.keys()):
                yield f"prototypes.k says nothing of {', '.join(lacking)}, which objectives read"

    @property
    def needs(self) -> Needs:
        """What all objectives need together."""
        return merge(spec.needs() for spec in self.objectives.values())

    @property
    def typed_objectives(self) -> dict[str, ObjectiveSpec]:
        """The objectives by name."""
        return dict(self.objectives)

    @property
    def clustered_head(self) -> str | None:
        """The head whose projections are clustered; None: the embeddings."""
        heads = (spec.needs().heads for spec in self.objectives.values() if spec.needs().prototypes)
        return next((name for names in heads for name in names), None)

    @property
    def momentum_copy(self) -> MomentumSpec | None:
        """The momentum copy that the objectives read, if one does."""
        return (self.momentum or MomentumSpec()) if self.needs.momentum else None

    def tower(self, modality: Modality) -> TowerSpec:
        """When a tower learns."""
        return self.towers.image if modality is Modality.IMAGE else self.towers.text

    def resolved(self) -> dict[str, Any]:
        """Plain values of all keys; reading them gives the same recipe."""
        return self.model_dump(mode="json")

"""What an objective is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

from pydantic import Field
from torch import Tensor, nn

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.spec import Spec
from protoclip_cli.core.types import Features, Outcome, StepInputs
from protoclip_cli.core.widths import Widths


class Objective(nn.Module, ABC):
    """One term of the training loss.

    An objective sees the features of all processes and returns the loss of its own rows. Modules that only
    the loss reads (a predictor, a temperature, a queue) are its own and live in parameters and buffers, hence
    in checkpoints; projections that others read too are heads of the model, asked for in `needs`.
    """

    model_scale: nn.Parameter | None = None
    """The natural logarithm of the scale that belongs to the embeddings, if this objective learns it."""

    @abstractmethod
    def forward(self, inputs: StepInputs) -> Outcome:
        """Compute the loss of this process's rows. It changes no state; `inputs.kept` may take a note."""

    def after_step(self, inputs: StepInputs) -> None:
        """Change state after the optimiser's step. `inputs` are detached."""


class ObjectiveSpec(Spec, ABC):
    """How a recipe writes an objective."""

    kind: str
    weight: float = Field(1.0, ge=0)
    """Factor of this objective in the sum."""
    first_episode: int = Field(0, ge=0)
    """Episode in which the objective joins."""
    last_episode: int | None = Field(None, ge=0)
    """Last episode of the objective. Empty means the end of training."""

    def active(self, episode: int) -> bool:
        """Whether the objective is part of an episode's loss."""
        last = episode if self.last_episode is None else self.last_episode
        return self.weight > 0 and self.first_episode <= episode <= last

    @abstractmethod
    def needs(self) -> Needs:
        """What the objective reads from a step."""

    def clashes(self, others: Mapping[str, ObjectiveSpec]) -> Iterator[str]:  # noqa: ARG002
        """What keeps the objective from working next to the others of a recipe, each with what to change.

        Args:
            others: all objectives of the recipe, by name.
        """
        return iter(())

    def clashes_with_batch(self, rows: int) -> Iterator[str]:  # noqa: ARG002
        """What keeps the objective from working with batches of so many rows, over all processes."""
        return iter(())

    @abstractmethod
    def build(self, widths: Widths, model_scale: Tensor | None) -> Objective:
        """Make the objective.

        Args:
            widths: of the features it reads.
            model_scale: scalar, the natural logarithm of the scale a pretrained model came with.

        Raises:
            RecipeError: the features do not fit.
        """


def projected(features: Features, head: str | None) -> Tensor:
    """A head's projections (B, P), or for None the embeddings (B, D); at least in float32."""
    return as_float(features.embedding if head is None else features.heads[head])


def as_float(rows: Tensor) -> Tensor:
    """Lift half precision to float32; keep float32 and float64."""
    return rows.float() if rows.dtype.itemsize < 4 else rows

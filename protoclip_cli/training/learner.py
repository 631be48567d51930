"""The one module that trains: the model and the objectives together.

Keeping the objectives' own parameters next to the model's means there is one module to average between
processes, to save and to hand to the optimiser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from protoclip_cli.compute.processes import collect, rank
from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Batch, Features, Modality, Outcome, StepInputs
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.objectives import Objective
from protoclip_cli.training.guidance import Guidance
from protoclip_cli.training.phases import Phase


@dataclass(frozen=True, slots=True)
class Encoded:
    """The features of a batch: views of each side, of this process's rows."""

    image: tuple[Features, ...]
    text: tuple[Features, ...]

    def tensors(self) -> list[Tensor]:
        """All features, in a fixed order."""
        return [
            tensor
            for features in (*self.image, *self.text)
            for tensor in (features.embedding, *features.heads.values())
        ]

    def with_tensors(self, tensors: Sequence[Tensor]) -> Encoded:
        """The same features in other tensors, in the order of `tensors`."""
        line = iter(tensors)

        def renew(features: Features) -> Features:
            return Features(next(line), {name: next(line) for name in features.heads})

        return Encoded(tuple(map(renew, self.image)), tuple(map(renew, self.text)))


class Learner(nn.Module):
    """A model and the objectives it learns from."""

    def __init__(
        self, model: DualEncoder, objectives: Mapping[str, Objective], weights: Mapping[str, float]
    ) -> None:
        super().__init__()
        self.model = model
        self.objectives = nn.ModuleDict(dict(objectives))
        self.weights = dict(weights)

    def enter(self, phase: Phase) -> None:
        """Let learn what learns in an episode. The rest has no gradients and its norms stand still."""
        self.train()
        for side in Modality:
            self.model.set_learning(side, side in phase.learning)
        for name, objective in self.objectives.items():
            objective.requires_grad_(name in phase.objectives)
            objective.train(name in phase.objectives)

    def encode(self, batch: Batch, phase: Phase) -> Encoded:
        """Run the towers that are needed on this process's rows."""

        def side(modality: Modality, views: Sequence[Tensor]) -> tuple[Features, ...]:
            heads = sorted(phase.needs.heads)
            with nullcontext() if modality in phase.learning else torch.no_grad():
                return tuple(self.model(modality, view, heads) for view in views)

        return Encoded(side(Modality.IMAGE, batch.image), side(Modality.TEXT, batch.text))

    def collect(self, encoded: Encoded, batch: Batch, needs: Needs, guidance: Guidance) -> StepInputs:
        """What the objectives read: the features of all processes, with gradients, and what guides them."""
        tensors = encoded.tensors()
        together = encoded.with_tensors([collect(tensor) for tensor in tensors])
        share = len(tensors[0])
        own = slice(rank() * share, (rank() + 1) * share)
        return StepInputs(
            together.image,
            together.text,
            own,
            teacher=guidance.teacher(batch, needs),
            prototypes=guidance.prototypes(batch, needs),
            labels=None if batch.labels is None else collect(batch.labels),
        )

    def score(self, inputs: StepInputs, active: Sequence[str]) -> Outcome:
        """The weighted sum of the active objectives over this process's rows."""
        outcomes: dict[str, Outcome] = {name: self.objectives[name](inputs) for name in active}
        total = torch.stack([self.weights[name] * outcome.loss for name, outcome in outcomes.items()]).sum()
        metrics = {"loss": total.detach(), **_spread(inputs)}
        for name, outcome in outcomes.items():
            metrics[f"{name}/loss"] = outcome.loss.detach()
            metrics |= {f"{name}/{metric}": value.detach() for metric, value in outcome.metrics.items()}
        return Outcome(total, metrics)

    def after_step(self, inputs: StepInputs, active: Sequence[str]) -> None:
        """Let the active objectives change their state."""
        for name in active:
            objective = self.objectives[name]
            assert isinstance(objective, Objective)
            objective.after_step(inputs)

    def lend_scale(self) -> None:
        """Write the learned scale into the model, where the library's own code looks for it."""
        for objective in self.objectives.values():
            scale = getattr(objective, "model_scale", None)
            if scale is not None:
                self.model.towers.set_scale(scale)
                return


@torch.no_grad()
def _spread(inputs: StepInputs) -> dict[str, Tensor]:
    """How spread out the features of a step are, and how far apart its two sides."""
    means, metrics = [], {}
    for modality in Modality:
        if views := inputs.of(modality):
            rows = F.normalize(views[0].embedding.float(), dim=-1)
            metrics[f"{modality.value}_std"] = rows.std(dim=0).mean()
            means.append(rows.mean(dim=0))
    if len(means) == 2:
        metrics["modality_gap"] = (means[0] - means[1]).norm()
    return metrics

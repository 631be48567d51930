"""The one module that trains: the model and the objectives together.

Keeping the objectives' own parameters next to the model's means there is one module to average between
processes, to save and to hand to the optimiser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from protoclip_cli.compute.processes import collect, mean_over_processes, rank
from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Batch, Modality, NextTokens, Outcome, StepInputs
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.objectives import Objective
from protoclip_cli.training.encoded import Encoded, Views, run_heads, run_towers
from protoclip_cli.training.followers import Follower
from protoclip_cli.training.guidance import Guidance
from protoclip_cli.training.phases import Phase

_NOTHING = -100


class Learner(nn.Module):
    """A model and the objectives it learns from."""

    def __init__(
        self, model: DualEncoder, objectives: Mapping[str, Objective], weights: Mapping[str, float]
    ) -> None:
        super().__init__()
        self.model = model
        self.objectives = nn.ModuleDict(dict(objectives))
        self.weights = dict(weights)
        self.followers: dict[str, Follower] = {}
        """Copies of the model by name; not among the learner's modules, because nothing of them learns."""

    def enter(self, phase: Phase) -> None:
        """Let learn what learns in an episode. The rest has no gradients and its norms stand still."""
        self.train()
        for side in Modality:
            self.model.set_learning(side, side in phase.learning)
        for name, objective in self.objectives.items():
            objective.requires_grad_(name in phase.objectives)
            objective.train(name in phase.objectives)

    def encode(self, batch: Batch, phase: Phase, known: Encoded | None = None) -> Encoded:
        """Run the towers that are needed on this process's rows, or on a part of them; see `run_towers`."""
        return run_towers(self.model, batch, phase.needs, phase.learning, known)

    def project(self, encoded: Encoded, phase: Phase) -> Views:
        """Run the heads that are needed on all rows of this process."""
        return run_heads(self.model, encoded, phase.needs, phase.learning)

    def collect(
        self, views: Views, encoded: Encoded, batch: Batch, needs: Needs, guidance: Guidance
    ) -> StepInputs:
        """What the objectives read: the features of all processes, with gradients, and what guides them."""
        together = views.collected()
        own = slice(rank() * len(batch.row), (rank() + 1) * len(batch.row))
        return StepInputs(
            together.image,
            together.text,
            own,
            teacher=guidance.teacher(batch, needs),
            prototypes=guidance.prototypes(batch, needs),
            labels=None if batch.labels is None else collect(batch.labels),
            next_tokens=_next_tokens(encoded),
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

    def follow(self, steps: int) -> None:
        """Let the copies of the model go after it; `steps` of the optimiser are done."""
        for follower in self.followers.values():
            follower.follow(self.model, steps)

    def lend_scale(self) -> None:
        """Write the learned scale into the model and its copies, where the library's code looks for it."""
        for objective in self.objectives.values():
            scale = getattr(objective, "model_scale", None)
            if scale is not None:
                for model in (self.model, *(follower.model for follower in self.followers.values())):
                    model.towers.set_scale(scale)
                return


def _next_tokens(encoded: Encoded) -> NextTokens | None:
    if encoded.logits is None or encoded.targets is None:
        return None
    count = (encoded.targets != _NOTHING).sum().to(torch.promote_types(encoded.logits.dtype, torch.float32))
    return NextTokens(encoded.logits, encoded.targets, mean_over_processes(count))


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

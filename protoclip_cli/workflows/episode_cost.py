"""What an episode costs, phase by phase, in floating-point operations."""

from __future__ import annotations

import torch

from protoclip_cli.core.types import Modality
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.training.episodes import Plan
from protoclip_cli.training.phases import Phase, phase_of
from protoclip_cli.workflows.feeding import prototypes_to_make

_LOOK_AT = 2


def costliest_episode(recipe: TrainRecipe, plan: Plan, model: DualEncoder) -> dict[str, float]:
    """Operations of the costliest episode by phase: `look`, `cluster` and `train`; phases it has.

    A backward pass counts twice its forward pass. Clustering runs on the CPU or the device, wherever k-means
    does, so its share of the time is not its share of the operations.
    """
    towers = {side: recipe.tower(side) for side in Modality}
    phases = [phase_of(e, recipe.typed_objectives, towers) for e in range(plan.episodes)]
    made, forward = prototypes_to_make(recipe, plan), _forward(model)

    def cost(phase: Phase) -> dict[str, float]:
        views = {Modality.IMAGE: phase.needs.image_views, Modality.TEXT: phase.needs.text_views}
        passes = {side: count * (3 if side in phase.learning else 1) for side, count in views.items()}
        if recipe.batch.accumulate > 1 and recipe.batch.accumulation == "grad_cache":
            passes = {side: passes[side] + count * (side in phase.learning) for side, count in views.items()}
        if phase.momentum is not None:
            passes[Modality.IMAGE] += phase.momentum.image_views
            passes[Modality.TEXT] += phase.momentum.text_views
        rows = plan.steps_per_episode * plan.batch
        costs = {"train": rows * sum(passes[side] * forward[side] for side in Modality)}
        if names := made.get(phase.episode):
            sides = {part for name in names for part in name.split("<-")}
            costs["look"] = plan.rows * sum(forward[side] for side in Modality if side.value in sides)
            sources = {name.rpartition("<-")[2] for name in names}
            costs["cluster"] = sum(_clustering(recipe, plan, source) for source in sources)
        return costs

    return max(map(cost, phases), key=lambda costs: sum(costs.values()))


def _clustering(recipe: TrainRecipe, plan: Plan, source: str) -> float:
    spec, head = recipe.prototypes, recipe.clustered_head
    assert spec is not None
    k, width = spec.k_of(source), getattr(recipe.model.heads.get(head), "dim", 128)
    fitted = min(plan.rows, k * (spec.samples_per_centroid or plan.rows))
    return 2.0 * width * k * (fitted * spec.iterations * spec.restarts + plan.rows)


def _forward(model: DualEncoder) -> dict[Modality, float]:
    """Operations of a forward pass of one row, by side, heads included."""
    from torch.utils.flop_counter import FlopCounterMode

    towers, heads = model.towers, list(model.head_specs)
    side = towers.preprocess.size
    views = {
        Modality.IMAGE: torch.zeros(_LOOK_AT, 3, side, side, dtype=torch.uint8),
        Modality.TEXT: towers.tokenizer(["a"] * _LOOK_AT),
    }
    costs = {}
    model.eval()
    for modality, view in views.items():
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            model(modality, view, heads)
        costs[modality] = counter.get_total_flops() / _LOOK_AT
    return costs

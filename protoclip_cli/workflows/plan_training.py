"""`protoclip train --dry-run`: what a run would be, without starting it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from protoclip_cli.compute.processes import world
from protoclip_cli.core.errors import ResourceError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.core.types import Modality
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.store.checkpoints import free_bytes
from protoclip_cli.store.run import safe_name
from protoclip_cli.training.episodes import Plan
from protoclip_cli.workflows.abilities import check_abilities
from protoclip_cli.workflows.building import build_towers, check_processes, make_plan, open_pairs
from protoclip_cli.workflows.episode_cost import costliest_episode
from protoclip_cli.workflows.viewing import build_image_views, build_text_views

_BYTES = 4  # weights, gradients and optimiser state are float32 in every precision
_LOOK_AT = 2


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What a run would be."""

    run: str
    pairs: int
    episodes: int
    steps_per_episode: int
    steps: int
    samples: int
    batch: int
    processes: int
    batch_per_process: int
    parts: int
    """Parts that each process's share passes the towers in."""
    contrasted: int
    """Rows that are contrasted with one another."""
    chance_loss: float
    """ln(contrasted)."""
    warmup_steps: int
    parameters: dict[str, int]
    """By side."""
    memory_bytes: int
    """Of each process, estimated: weights, gradients, optimiser, activations and kept images."""
    episode_operations: dict[str, float]
    """Floating-point operations of the costliest episode, by phase."""
    checkpoint_bytes: int
    disk_bytes: int
    """Of all checkpoints that are kept."""
    disk_free_bytes: int

    def values(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    def text(self) -> str:
        """The plan in lines."""
        lines = {
            "run": self.run,
            "pairs": f"{self.pairs:,}",
            "steps": f"{self.steps:,} ({self.episodes} episodes x {self.steps_per_episode:,})",
            "samples": f"{self.samples:,} ({self.samples / self.pairs:.1f} passes)",
            "batch": f"{self.batch:,} = {self.processes} processes x {self.batch_per_process:,}",
            "in parts": self._parts(),
            "loss at chance": f"ln({self.contrasted}) = {self.chance_loss:.3f}",
            "warm-up": f"{self.warmup_steps:,} steps",
            "an episode": self._episode(),
            "parameters": ", ".join(f"{side} {count:,}" for side, count in self.parameters.items()),
            "memory": f"about {_size(self.memory_bytes)} a process",
            "disk": f"about {_size(self.disk_bytes)} of {_size(self.disk_free_bytes)} free "
            f"({_size(self.checkpoint_bytes)} a checkpoint)",
        }
        width = max(map(len, lines))
        return "\n".join(f"{name:<{width}}  {value}" for name, value in lines.items() if value)

    def _parts(self) -> str:
        """How a batch is cut, if it is."""
        if self.parts == 1:
            return ""
        if self.contrasted == self.batch:
            return f"{self.parts}, with the gradient of the whole batch"
        return f"{self.parts}, each contrasted within its {self.contrasted:,} rows alone"

    def _episode(self) -> str:
        """The shares of the phases of the costliest episode."""
        total = sum(self.episode_operations.values())
        shares = (
            f"{phase} {self.episode_operations[phase] / total:.0%}"
            for phase in ("look", "cluster", "train")
            if phase in self.episode_operations
        )
        return f"{total / 1e12:,.2f} TFLOP: {', '.join(shares)}"


def plan_training(recipe: TrainRecipe, reporter: Reporter) -> TrainingPlan:
    """Work out what a run would be. Reads the pairs, builds the model, writes nothing.

    Raises:
        ProtoclipError: whatever would stop the run at its start.
    """
    check_processes(recipe, world())
    source = open_pairs(recipe.pairs, reporter, "pairs")
    plan = make_plan(recipe, source)
    towers = build_towers(recipe, reporter)
    build_image_views(recipe, towers)
    build_text_views(recipe, source, reporter)
    model = DualEncoder(towers, recipe.model.head_specs, recipe.model.adapters.by_side)
    check_abilities(recipe, model)
    if recipe.compute.grad_checkpointing:
        towers.checkpoint_gradients()
    counts = dict.fromkeys(Modality, 0)
    for name, parameter in model.named_parameters():
        counts[model.modality_of(name)] += parameter.numel()
    weights = sum(counts.values()) * _BYTES
    share = plan.batch // world()
    activations = _activation_bytes(model) * share // recipe.batch.accumulate // _LOOK_AT
    copies = sum(copy is not None for copy in (recipe.momentum_copy, recipe.average))
    checkpoint = (3 + copies) * weights
    warmup = recipe.schedule.warmup_steps(plan.steps)
    if warmup >= plan.steps:
        reporter.warn(
            f"warm-up takes {warmup:,} steps and the run has {plan.steps:,}: the rate never gets to its base"
        )
    result = TrainingPlan(
        run=str(Path("runs") / safe_name(recipe.name)),
        pairs=len(source),
        episodes=plan.episodes,
        steps_per_episode=plan.steps_per_episode,
        steps=plan.steps,
        samples=plan.steps * plan.batch,
        batch=plan.batch,
        processes=world(),
        batch_per_process=share,
        parts=recipe.batch.accumulate,
        contrasted=recipe.batch.contrasted,
        chance_loss=math.log(recipe.batch.contrasted),
        warmup_steps=warmup,
        parameters={side.value: count for side, count in counts.items()},
        memory_bytes=(4 + copies) * weights + activations + _kept_images(recipe, plan, model),
        episode_operations=costliest_episode(recipe, plan, model),
        checkpoint_bytes=checkpoint,
        disk_bytes=checkpoint * _kept(recipe),
        disk_free_bytes=free_bytes(Path("runs").absolute()),
    )
    if result.disk_bytes > result.disk_free_bytes:
        raise ResourceError(
            f"checkpoints would take {_size(result.disk_bytes)} of {_size(result.disk_free_bytes)} free",
            hint="lower checkpoints.keep_last, or raise checkpoints.keep_every",
        )
    return result


def _kept(recipe: TrainRecipe) -> int:
    """Checkpoints on disk at the end, and the one being written."""
    every = recipe.checkpoints.keep_every
    return recipe.checkpoints.keep_last + 1 + (recipe.episodes.count // every if every else 0)


def _kept_images(recipe: TrainRecipe, plan: Plan, model: DualEncoder) -> int:
    """Bytes of the images of the look that training need not read again."""
    if recipe.prototypes is None:
        return 0
    images = plan.rows // world() * 3 * model.towers.preprocess.size**2
    return min(images, int(recipe.prototypes.keep_images_gb * 1e9))


def _activation_bytes(model: DualEncoder) -> int:
    """What a forward pass of two pairs keeps for the backward pass."""
    seen: dict[int, int] = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    towers = model.towers
    side = towers.preprocess.size
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        image = model(Modality.IMAGE, torch.zeros(_LOOK_AT, 3, side, side, dtype=torch.uint8))
        text = model(Modality.TEXT, towers.tokenizer(["a"] * _LOOK_AT))
    del image, text
    return sum(seen.values())


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit in {"B", "kB"} else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"

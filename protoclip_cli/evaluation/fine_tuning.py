"""Fine-tuning: an image tower and a linear head that learn together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from protoclip_cli.compute.processes import available_cores
from protoclip_cli.compute.randomness import generator, key
from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.data.benchmarks.base import Images, Labelled
from protoclip_cli.data.loader import ImageReader, load
from protoclip_cli.evaluation.embedder import TunableTower
from protoclip_cli.optimization.groups import group_parameters
from protoclip_cli.optimization.optimizers import OptimizerSpec
from protoclip_cli.optimization.schedules import ScheduleSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """How a tower and its head are trained."""

    epochs: int
    batch: int
    optimizer: OptimizerSpec
    schedule: ScheduleSpec
    learns: str
    """`all`, or `head` alone."""
    norms_follow: bool
    """Whether norms of a tower that does not learn follow the data all the same."""


class Classifier(nn.Module):
    """A tower, then batch norm without scale and shift, then a linear layer, as in ELEVATER."""

    def __init__(self, tower: nn.Module, width: int, classes: int, seed: int, weight: Tensor | None) -> None:
        """Put a head on a tower.

        Args:
            tower: (b, 3, H, W) uint8 to (b, D).
            width: D.
            classes: C.
            seed: of the first weights of the head.
            weight: (C, D), its first weights instead, with zero biases.
        """
        super().__init__()
        self.tower = tower
        self.norm = nn.BatchNorm1d(width, affine=False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(key(seed, "fine_tune/head") % 2**63)
            self.head = nn.Linear(width, classes)
        if weight is not None:
            self.head.weight.data.copy_(weight)
            nn.init.zeros_(self.head.bias)

    def forward(self, view: Tensor) -> Tensor:
        """The logits (b, C) of images (b, 3, H, W) uint8."""
        logits: Tensor = self.head(self.norm(self.tower(view)))
        return logits


def tune(
    model: Classifier, tower: TunableTower, split: Labelled, tuning: Tuning, *, seed: int
) -> Iterator[Classifier]:
    """Train on a split.

    Args:
        model: is changed.
        tower: what it was made of.
        split: images to learn from.
        tuning: how.
        seed: of the batches.

    Yields:
        The model after every epoch.

    Raises:
        ProtoclipError: the loss is not finite.
    """
    if tuning.learns == "head":
        model.tower.requires_grad_(False)
    optimizer = _optimizer(model, tuning)
    wanted = _wanted(split).to(tower.device)
    count = max(1, sum(len(part) > 1 for part in _batches(len(wanted), tuning.batch)))
    step = 0
    for epoch in range(tuning.epochs):
        model.train()
        model.tower.train(tuning.learns == "all" or tuning.norms_follow)
        order = generator(seed, "fine_tune/order", epoch).permutation(len(wanted))
        # Batch norm cannot learn from one row.
        parts = [order[part] for part in _batches(len(wanted), tuning.batch) if len(part) > 1]
        for part, view in zip(
            parts, _views(split.images, [split.rows[p] for p in parts], tower), strict=True
        ):
            for group in optimizer.param_groups:
                base = tuning.optimizer.base_rate(group["side"])
                group["lr"] = tuning.schedule.rate(base, step, 0, count * tuning.epochs)
            _step(model, optimizer, view, wanted[torch.from_numpy(part).to(tower.device)], tuning)
            step += 1
        yield model


@torch.no_grad()
def logits_of(model: Classifier, tower: TunableTower, split: Labelled, batch: int) -> NDArray[np.float32]:
    """The logits (n, C) of a split, in evaluation mode."""
    model.eval()
    parts = [split.rows[part] for part in _batches(len(split.rows), batch)]
    return torch.cat([model(view).float().cpu() for view in _views(split.images, parts, tower)]).numpy()


def _optimizer(model: Classifier, tuning: Tuning) -> torch.optim.Optimizer:
    """Groups by the recipe's rule: the tower's side is `image`, the head's the rest."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    image = frozenset(name for name, _ in named if name.startswith("tower."))
    return tuning.optimizer.build(group_parameters(named, image, tuning.optimizer.decay_rule))


def _step(
    model: Classifier, optimizer: torch.optim.Optimizer, view: Tensor, wanted: Tensor, tuning: Tuning
) -> None:
    logits = model(view)
    several = wanted.ndim == 2
    loss_of = nn.functional.binary_cross_entropy_with_logits if several else nn.functional.cross_entropy
    loss = loss_of(logits.float(), wanted)
    if not torch.isfinite(loss):
        raise ProtoclipError(
            "the loss of fine-tuning is not finite",
            hint="use a smaller learning rate, or an earlier checkpoint",
        )
    optimizer.zero_grad()
    loss.backward()
    if tuning.optimizer.max_grad_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), tuning.optimizer.max_grad_norm)
    optimizer.step()


def _wanted(split: Labelled) -> Tensor:
    if split.targets is None:
        return torch.from_numpy(np.asarray(split.labels, np.int64))
    return torch.from_numpy((split.targets == 1).astype(np.float32))


def _batches(count: int, batch: int) -> list[range]:
    return [range(at, min(at + batch, count)) for at in range(0, count, batch)]


def _views(images: Images, parts: list[NDArray[np.int64]], tower: TunableTower) -> Iterator[Tensor]:
    workers = 0 if images.in_memory else available_cores()
    pin = tower.device.type == "cuda"
    for view in load(ImageReader(images, tower.view), parts, workers=workers, pin=pin):
        yield view.to(tower.device, non_blocking=True)

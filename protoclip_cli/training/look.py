"""Looking at an episode: one forward pass without gradients, before its prototypes are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from protoclip_cli.compute.processes import collect_ragged, share
from protoclip_cli.core.types import Batch, Modality
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.training.guidance import Guidance

_ROWS = {Modality.IMAGE: 256, Modality.TEXT: 2048}
"""Of a pass on the CPU: enough to keep all cores busy, and to put texts of like length together."""


@torch.no_grad()
def look(
    model: DualEncoder,
    batches: Iterable[Batch],
    sides: frozenset[str],
    head: str | None,
    guidance: Guidance,
    autocast: Callable[[], AbstractContextManager[None]],
) -> dict[str, Tensor]:
    """Features of an episode; all processes share the work. The model looks as in evaluation.

    Args:
        model: with its towers and heads.
        batches: this process's rows, on the device.
        sides: which features are wanted, of `image`, `text` and `teacher`.
        head: whose projections; None for the embeddings themselves.
        guidance: has the teacher's bank.
        autocast: the precision to look in.

    Returns:
        By side, (n, P) or (n, T), float32, unit length: of this process's contiguous share of positions.
    """
    positions: list[Tensor] = []
    teacher: list[Tensor] = []
    pools = {side: _Pool(model, side, head, autocast) for side in Modality if side.value in sides}
    model.eval()
    for batch in batches:
        positions.append(batch.position)
        for modality, pool in pools.items():
            pool.add(_view(batch, modality))
        if "teacher" in sides:
            teacher.append(F.normalize(guidance.teacher_of(batch.caption), dim=-1))
    features = {side.value: pool.features() for side, pool in pools.items()}
    if "teacher" in sides:
        features["teacher"] = torch.cat(teacher)
    order = collect_ragged(torch.cat(positions)).argsort()
    mine = share(len(order))
    return {
        side: collect_ragged(rows)[order[mine.start : mine.stop]] for side, rows in sorted(features.items())
    }


@dataclass(slots=True)
class _Pool:
    """Views that wait until there are enough of them for a pass."""

    model: DualEncoder
    modality: Modality
    head: str | None
    autocast: Callable[[], AbstractContextManager[None]]
    waiting: list[Tensor] = field(default_factory=list)
    done: list[Tensor] = field(default_factory=list)

    def add(self, view: Tensor) -> None:
        self.waiting.append(view)
        # Elsewhere a batch fills the device, and compiled towers know its shape.
        if view.device.type != "cpu" or sum(map(len, self.waiting)) >= _ROWS[self.modality]:
            self.encode()

    def encode(self) -> None:
        views = self.waiting
        if self.modality is Modality.TEXT:
            views = _equally_long(views, self.model.towers.pad)
        with self.autocast():
            seen = self.model(self.modality, torch.cat(views), [] if self.head is None else [self.head])
        rows = seen.embedding if self.head is None else seen.heads[self.head]
        self.done.append(F.normalize(rows.float(), dim=-1))
        self.waiting = []

    def features(self) -> Tensor:
        if self.waiting:
            self.encode()
        return torch.cat(self.done)


def _equally_long(texts: list[Tensor], pad: int) -> list[Tensor]:
    longest = max(text.shape[1] for text in texts)
    return [F.pad(text, (0, longest - text.shape[1]), value=pad) for text in texts]


def _view(batch: Batch, modality: Modality) -> Tensor:
    if modality is Modality.TEXT:
        return batch.text[0]
    return batch.image[0] if batch.clean is None else batch.clean

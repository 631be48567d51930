"""Looking at an episode: one forward pass without gradients, before its prototypes are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

import torch
import torch.nn.functional as F
from torch import Tensor

from protoclip_cli.compute.processes import collect_ragged, share
from protoclip_cli.core.types import Batch, Modality
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.training.guidance import Guidance


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
    features: dict[str, list[Tensor]] = {side: [] for side in sorted(sides)}
    model.eval()
    for batch in batches:
        positions.append(batch.position)
        for modality in Modality:
            if modality.value in sides:
                with autocast():
                    seen = model(modality, _view(batch, modality), [] if head is None else [head])
                rows = seen.embedding if head is None else seen.heads[head]
                features[modality.value].append(F.normalize(rows.float(), dim=-1))
        if "teacher" in sides:
            features["teacher"].append(F.normalize(guidance.teacher_of(batch.caption), dim=-1))
    order = collect_ragged(torch.cat(positions)).argsort()
    mine = share(len(order))
    return {
        side: collect_ragged(torch.cat(rows))[order[mine.start : mine.stop]]
        for side, rows in features.items()
    }


def _view(batch: Batch, modality: Modality) -> Tensor:
    if modality is Modality.TEXT:
        return batch.text[0]
    return batch.image[0] if batch.clean is None else batch.clean

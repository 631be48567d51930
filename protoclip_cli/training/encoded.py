"""What a model makes of a batch, its towers in parts, if need be, and its heads on all of it.

Towers are large and rows do not meet in them, so a batch may pass through them part by part. Heads are small
and have batch norms, so they always see all rows of the process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from protoclip_cli.compute.processes import collect
from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Batch, Features, Modality
from protoclip_cli.models.dual_encoder import DualEncoder, Seen


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the towers of a model made of a batch, of this process's rows."""

    image: tuple[Seen, ...]
    """By view."""
    text: tuple[Seen, ...]
    logits: Tensor | None = None
    """(b, L, V), of the next tokens of the first text view."""
    targets: Tensor | None = None
    """(b, L), long; -100 where there is nothing to say."""

    def tensors(self) -> list[Tensor]:
        """All that has gradients, in a fixed order."""
        parts = [part for seen in (*self.image, *self.text) for part in (seen.embedding, seen.backbone)]
        return [tensor for tensor in (*parts, self.logits) if tensor is not None]

    def with_tensors(self, tensors: Sequence[Tensor], targets: Tensor | None) -> Encoded:
        """The same in other tensors, in the order of `tensors`."""
        line = iter(tensors)

        def renew(seen: Seen) -> Seen:
            return Seen(next(line), None if seen.backbone is None else next(line))

        image, text = tuple(map(renew, self.image)), tuple(map(renew, self.text))
        return Encoded(image, text, None if self.logits is None else next(line), targets)


def join(parts: Sequence[Encoded]) -> Encoded:
    """The parts of a batch as one."""
    tensors = [torch.cat(column) for column in zip(*(part.tensors() for part in parts), strict=True)]
    targets = [part.targets for part in parts if part.targets is not None]
    return parts[0].with_tensors(tensors, torch.cat(targets) if targets else None)


@dataclass(frozen=True, slots=True)
class Views:
    """Features of both sides, by view."""

    image: tuple[Features, ...] = ()
    text: tuple[Features, ...] = ()

    def map(self, change: Callable[[Tensor], Tensor]) -> Views:
        """The same with every tensor changed."""

        def changed(features: Features) -> Features:
            heads = {name: change(rows) for name, rows in features.heads.items()}
            return Features(change(features.embedding), heads)

        return Views(tuple(map(changed, self.image)), tuple(map(changed, self.text)))

    def collected(self) -> Views:
        """Those of all processes, with gradients."""
        return self.map(collect)


def run_towers(
    model: DualEncoder,
    batch: Batch,
    needs: Needs,
    learning: frozenset[Modality],
    known: Encoded | None = None,
) -> Encoded:
    """Run the towers on the views that are needed.

    Args:
        model: whose towers.
        batch: this process's rows, or a part of them.
        needs: what of.
        learning: sides that get gradients.
        known: what came out before, without gradients; a side that gets none is not run again.
    """
    heads = sorted(needs.heads)

    def side(modality: Modality, views: Sequence[Tensor]) -> tuple[Seen, ...]:
        if known is not None and modality not in learning and not needs.token_logits:
            return known.image if modality is Modality.IMAGE else known.text
        with _gradients(modality in learning):
            return tuple(model.run_tower(modality, view, heads) for view in views)

    images, texts = batch.image[: needs.image_views], batch.text[: needs.text_views]
    if not needs.token_logits:
        return Encoded(side(Modality.IMAGE, images), side(Modality.TEXT, texts))
    with _gradients(bool(learning)):
        image, text, logits, targets = model.run_with_next_tokens(images[0], texts[0])
    first = {Modality.IMAGE: image, Modality.TEXT: text}
    one = {side: seen if side in learning else Seen(seen.embedding.detach()) for side, seen in first.items()}
    return Encoded(
        (one[Modality.IMAGE], *side(Modality.IMAGE, images[1:])),
        (one[Modality.TEXT], *side(Modality.TEXT, texts[1:])),
        logits,
        targets,
    )


def run_heads(model: DualEncoder, encoded: Encoded, needs: Needs, learning: frozenset[Modality]) -> Views:
    """Run the heads that are needed on what the towers made of all rows of this process."""
    heads = sorted(needs.heads)

    def side(modality: Modality, views: Sequence[Seen]) -> tuple[Features, ...]:
        with _gradients(modality in learning):
            return tuple(model.run_heads(modality, seen, heads) for seen in views)

    return Views(side(Modality.IMAGE, encoded.image), side(Modality.TEXT, encoded.text))


def _gradients(wanted: bool) -> AbstractContextManager[object]:
    return nullcontext() if wanted else torch.no_grad()

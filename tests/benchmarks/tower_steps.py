"""Whole steps on real towers with made-up pixels and tokens: what an objective costs there."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Features, Frozen, Modality, NextTokens, Prototypes, StepInputs
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.heads import HEADS
from protoclip_cli.models.vocabulary import keep_used_vocabulary
from protoclip_cli.objectives import Objective

WIDTH, CLUSTERS, CLASSES, VOCABULARY, LENGTH = 128, 20_000, 100, 1_000, 16
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
_END = 49_407
"""Where the text tower reads."""


def guides(needs: Needs, rows: int, width: int) -> dict[str, Any]:
    """What a step reads besides the features of the towers that learn."""

    def some(*shape: int) -> Tensor:
        return torch.randn(*shape, device=DEVICE)

    members = torch.arange(rows, device=DEVICE) % CLUSTERS
    boards = {
        name: Prototypes(some(CLUSTERS, WIDTH), members, some(CLUSTERS, WIDTH)) for name in needs.prototypes
    }
    return {
        "teacher": some(rows, width) if needs.teacher else None,
        "prototypes": boards,
        "labels": torch.arange(rows, device=DEVICE) % CLASSES if needs.labels else None,
    }


def milliseconds(work: Callable[[], object], seconds: float) -> float:
    """The best time of a piece of work, over a number of seconds and three times at least."""
    work()
    times, until = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < until:
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - began))
    return min(times)


class Steps:
    """Steps of one pair of towers: encode, score, backward, AdamW, state."""

    def __init__(self, name: str, rows: int) -> None:
        self.towers = BUILDERS.spec("open_clip").model_validate({"kind": "open_clip", "name": name}).build()
        self.rows, self.side = rows, self.towers.preprocess.size
        context = self.towers.tokenizer.context_length
        self.image = torch.randint(255, (rows, 3, self.side, self.side), dtype=torch.uint8, device=DEVICE)
        self.text = torch.randint(1, VOCABULARY, (rows, min(context, LENGTH)), device=DEVICE)
        self.text[:, -1] = _END
        if name.startswith("glyphs"):  # as the recipes
            keep_used_vocabulary(self.towers, torch.tensor([*range(VOCABULARY), _END]))

    def milliseconds(self, needs: Needs, objective: Objective | None, seconds: float) -> float:
        """Of a step with one objective; without any, of one that encodes the same views and little else."""
        heads = {
            name: HEADS.spec("mlp").model_validate({"kind": "mlp", "dim": WIDTH}) for name in needs.heads
        }
        model = DualEncoder(self.towers, heads).to(DEVICE).train()
        guided = guides(needs, self.rows, self.towers.width)
        parameters = [*model.parameters(), *(objective.parameters() if objective else ())]
        optimizer = torch.optim.AdamW(parameters, lr=1e-6, fused=True)

        def step() -> None:
            optimizer.zero_grad(set_to_none=True)
            inputs = self._inputs(model, needs, guided)
            if objective is None:
                views = (*inputs.image, *inputs.text)
                torch.stack([view.embedding.float().square().mean() for view in views]).sum().backward()
                optimizer.step()
                return
            objective(inputs).loss.backward()
            optimizer.step()
            with torch.no_grad():
                objective.after_step(inputs)

        return milliseconds(step, seconds)

    def _inputs(self, model: DualEncoder, needs: Needs, guided: dict[str, Any]) -> StepInputs:
        said = None
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=DEVICE.type == "cuda"):
            if needs.token_logits:
                image, text, said = self._captioned(model)
            else:
                image, text = self._features(model, needs)
            with torch.no_grad():
                followed = self._features(model, needs) if needs.momentum else ((), ())
                seen = self._features(model, Needs(image_views=1, text_views=1)) if needs.frozen else None
        scale = torch.tensor(14.3, device=DEVICE)
        return StepInputs(
            image,
            text,
            slice(0, self.rows),
            momentum_image=followed[0],
            momentum_text=followed[1],
            frozen=Frozen(seen[0][0].embedding, seen[1][0].embedding, scale) if seen else None,
            next_tokens=said,
            **guided,
        )

    def _features(
        self, model: DualEncoder, needs: Needs
    ) -> tuple[tuple[Features, ...], tuple[Features, ...]]:
        heads = sorted(needs.heads)
        return (
            tuple(model(Modality.IMAGE, self.image, heads) for _ in range(needs.image_views)),
            tuple(model(Modality.TEXT, self.text, heads) for _ in range(needs.text_views)),
        )

    def _captioned(self, model: DualEncoder) -> tuple[tuple[Features, ...], tuple[Features, ...], NextTokens]:
        image, text, logits, targets = model.run_with_next_tokens(self.image, self.text)
        count: Tensor = (targets >= 0).sum().float()
        return (Features(image.embedding),), (Features(text.embedding),), NextTokens(logits, targets, count)

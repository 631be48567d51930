"""Distill-CLIP against open_clip (loss.py, DistillClipLoss)."""

import pytest
import torch

from protoclip_cli.core.types import Features, Frozen, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.distill import DistillSpec


def test_it_equals_open_clip(golden, load, near):
    for path in golden("openclip_distill*.npz"):
        g = load(path)
        image, text = (g[f"in_{side}"].requires_grad_() for side in ("image", "text"))
        objective = (
            DistillSpec(kind="distill").build(Widths(image.shape[1], frozen=image.shape[1]), None).double()
        )
        torch.nn.init.constant_(objective.log_scale, torch.tensor(g["hp_logit_scale"]).log().item())
        scale = torch.tensor(g["hp_teacher_logit_scale"], dtype=torch.float64)
        frozen = Frozen(g["in_teacher_image"], g["in_teacher_text"], scale)
        inputs = StepInputs((Features(image),), (Features(text),), slice(0, len(image)), frozen=frozen)
        outcome = objective(inputs)
        outcome.loss.backward()
        assert outcome.loss.item() == pytest.approx(g["out_loss"], rel=1e-6)
        assert outcome.metrics["contrast"].item() == pytest.approx(g["out_contrastive"], rel=1e-5)
        assert outcome.metrics["distillation"].item() == pytest.approx(g["out_distill"], rel=1e-6)
        # open_clip's callers give unit features; ours gives them unit length itself.
        for rows, theirs in ((image, g["grad_image"]), (text, g["grad_text"])):
            along = (theirs * rows.detach()).sum(dim=-1, keepdim=True)
            near(rows.grad, theirs - along * rows.detach())
        near(objective.log_scale.grad / g["hp_logit_scale"], g["grad_logit_scale"])

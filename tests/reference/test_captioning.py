"""Next tokens against open_clip's CoCa and GenLIP (loss.py)."""

import pytest
import torch

from protoclip_cli.core.types import Features, NextTokens, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.captioning import CaptioningSpec, captioning_loss
from protoclip_cli.objectives.info_nce import info_nce


def test_with_info_nce_it_equals_coca(golden, load, near):
    for path in golden("openclip_coca*.npz"):
        g = load(path)
        image, text, logits = (g[f"in_{name}"].requires_grad_() for name in ("image", "text", "logits"))
        targets = torch.where(g["in_labels"] == g["hp_pad_id"], -100, g["in_labels"])
        said = NextTokens(logits, targets, (targets >= 0).sum())
        inputs = StepInputs((Features(image),), (Features(text),), slice(0, len(image)), next_tokens=said)
        contrast, _ = info_nce(image, text, torch.tensor(g["hp_logit_scale"], dtype=torch.float64))
        spec = CaptioningSpec(kind="captioning", weight=g["hp_caption_weight"])
        caption = spec.weight * spec.build(Widths(image.shape[1]), None)(inputs).loss
        loss = g["hp_clip_weight"] * contrast + caption
        loss.backward()
        assert contrast.item() == pytest.approx(g["out_contrastive"], rel=1e-8)
        assert caption.item() == pytest.approx(g["out_caption"], rel=1e-8)
        assert loss.item() == pytest.approx(g["out_loss"], rel=1e-8)
        near(image.grad, g["grad_image"])
        near(text.grad, g["grad_text"])
        near(logits.grad, g["grad_logits"])


def test_it_equals_genlip(golden, load, near):
    for path in golden("openclip_genlip*.npz"):
        g = load(path)
        logits, targets = g["in_logits"].requires_grad_(), g["in_labels"]
        loss = captioning_loss(logits, targets, (targets != -100).sum())
        loss.backward()
        assert loss.item() == pytest.approx(g["out_loss"], rel=1e-8)
        near(logits.grad, g["grad_logits"])

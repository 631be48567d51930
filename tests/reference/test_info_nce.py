"""InfoNCE against ProtoCLIP (training/loss.py) and open_clip (loss.py)."""

import pytest
import torch

from protoclip_cli.objectives.info_nce import info_nce


@pytest.fixture
def check(load, near):
    def compare(path):
        g = load(path)
        image, text = (g[f"in_{side}"].requires_grad_() for side in ("image", "text"))
        scale = torch.tensor(g["hp_logit_scale"], dtype=torch.float64, requires_grad=True)
        bias = None
        if "hp_logit_bias" in g:
            bias = torch.tensor(g["hp_logit_bias"], dtype=torch.float64, requires_grad=True)
        loss, _ = info_nce(image, text, scale, bias=bias)
        loss.backward()
        assert loss.item() == pytest.approx(g["out_loss"], rel=1e-8)
        near(image.grad, g["grad_image"])
        near(text.grad, g["grad_text"])
        near(scale.grad, g["grad_logit_scale"])
        if bias is not None:
            assert (
                abs(bias.grad.item() - g["grad_logit_bias"]) < 1e-12
            )  # both are rounding: it changes nothing

    return compare


def test_it_equals_protoclip(golden, check):
    for path in golden("protoclip_infonce*.npz"):
        check(path)


def test_it_equals_open_clip_with_and_without_a_bias(golden, check):
    for path in golden("openclip_clip*.npz"):
        check(path)

"""SigLIP against open_clip (loss.py), on one process and over its four ways to exchange texts."""

import pytest
import torch

from protoclip_cli.compute.processes import collect, rank
from protoclip_cli.objectives.siglip import siglip_loss


def _learn(image, text, scale, bias, **settings):
    image, text = image.clone().requires_grad_(), text.clone().requires_grad_()
    scale, bias = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (scale, bias))
    loss, _ = siglip_loss(collect(image), collect(text), scale, bias, **settings)
    loss.backward()
    return loss.detach(), image.grad, text.grad, scale.grad, bias.grad


NAMES = ("out_loss", "grad_image", "grad_text", "grad_logit_scale", "grad_logit_bias")


def test_it_equals_open_clips(golden, load, near):
    for path in golden("openclip_siglip*.npz"):
        g = load(path)
        ours = _learn(
            g["in_image"],
            g["in_text"],
            g["hp_logit_scale"],
            g.get("hp_logit_bias", 0.0),
            chunk=g["hp_chunk_size"] or None,
        )
        for name, mine in zip(NAMES, ours, strict=True):
            if name in g:
                near(mine, g[name], 1e-8 if name == "out_loss" else 1e-5)
        assert "hp_logit_bias" in g or "nobias" in path.name


def _on_a_rank(image, text, scale, bias):
    image, text = image[rank()], text[rank()]
    return _learn(image, text, scale, bias, own=slice(rank() * len(image), (rank() + 1) * len(image)))


def test_each_process_has_the_loss_and_the_gradients_of_open_clips(golden, load, near, on_processes):
    """Their four schemes give one result, and one gather with gradients gives it too."""
    for path in golden("dist?_openclip_siglip*.npz"):
        g = load(path)
        sides = g["in_image"], g["in_text"], g["hp_logit_scale"], g["hp_logit_bias"]
        results = on_processes(g["hp_world_size"], _on_a_rank, *sides)
        ours = [torch.stack(parts) for parts in zip(*results, strict=True)]
        for name, mine in zip(NAMES, ours, strict=True):
            near(mine, g[name], 1e-8 if name == "out_loss" else 1e-5)
        whole = _learn(g["in_image"].flatten(0, 1), g["in_text"].flatten(0, 1), *sides[2:])
        assert ours[0].mean().item() == pytest.approx(whole[0].item(), rel=1e-12)

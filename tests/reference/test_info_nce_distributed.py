"""InfoNCE over processes against the four schemes of open_clip (loss.py) and the two of ProtoCLIP.

Ours computes the own rows against all columns and gathers with gradients, as open_clip does with local loss
and gathered gradients. The three other schemes differ, and each difference is asserted.
"""

import pytest
import torch

from protoclip_cli.compute.processes import collect, rank
from protoclip_cli.objectives.info_nce import info_nce


def _ours(image, text, scale):
    """Loss of this process, and its gradients before any averaging."""
    image, text = image[rank()].requires_grad_(), text[rank()].requires_grad_()
    scale = torch.tensor(scale, dtype=torch.float64, requires_grad=True)
    own = slice(rank() * len(image), (rank() + 1) * len(image))
    loss, _ = info_nce(collect(image), collect(text), scale, own)
    loss.backward()
    return loss.detach(), image.grad, text.grad, scale.grad


@pytest.fixture
def both(load, on_processes):
    """Ours and theirs: loss, gradients of images, texts and scale, by rank."""

    def run(path):
        g = load(path)
        results = on_processes(g["hp_world_size"], _ours, g["in_image"], g["in_text"], g["hp_logit_scale"])
        ours = [torch.stack(parts) for parts in zip(*results, strict=True)]
        names = ("out_loss", "grad_image", "grad_text", "grad_logit_scale")
        return g, ours, [g[name] for name in names]

    return run


def test_local_loss_with_gathered_gradients_is_ours(golden, both, near):
    for path in golden("dist?_openclip_clip_local1_gradgather1*"):
        _, ours, theirs = both(path)
        near(ours[0], theirs[0], 1e-8)
        for mine, other in zip(ours[1:], theirs[1:], strict=True):
            near(mine, other, 1e-8)


def test_global_loss_with_gathered_gradients_is_the_mean_of_ours(golden, both, near):
    for path in golden("dist?_openclip_clip_local0_gradgather1*"):
        _, (loss, image, text, scale), theirs = both(path)
        near(loss.mean().expand_as(loss), theirs[0], 1e-8)  # every rank computes the whole loss
        near(image, theirs[1], 1e-8)
        near(text, theirs[2], 1e-8)
        near(scale.mean().expand_as(scale), theirs[3], 1e-8)


def test_protoclips_schemes_are_open_clips_with_a_global_loss(golden, both, near):
    for path in golden("dist?_protoclip_clip_gradgather?*"):
        g, (loss, image, text, scale), theirs = both(path)
        share = 1 if "gradgather1" in path.name else g["hp_world_size"]
        near(loss.mean().expand_as(loss), theirs[0], 1e-7)
        near(image / share, theirs[1])
        near(text / share, theirs[2])
        near(scale.mean().expand_as(scale), theirs[3])


def test_without_gathered_gradients_features_learn_a_worldth_and_scales_all(golden, both, near):
    for path in golden("dist?_openclip_clip_local0_gradgather0*"):
        g, (loss, image, text, scale), theirs = both(path)
        near(loss.mean().expand_as(loss), theirs[0], 1e-8)
        near(image / g["hp_world_size"], theirs[1], 1e-8)
        near(text / g["hp_world_size"], theirs[2], 1e-8)
        near(scale.mean().expand_as(scale), theirs[3], 1e-8)


def test_local_loss_without_gathered_gradients_loses_the_columns(golden, both, near):
    for path in golden("dist?_openclip_clip_local1_gradgather0*"):
        g, (loss, image, text, scale), theirs = both(path)
        near(loss, theirs[0], 1e-8)
        near(scale, theirs[3], 1e-8)
        for mine, other, side in ((image, theirs[1], "image"), (text, theirs[2], "text")):
            near(_of_the_rows_alone(g, side), other, 1e-8)
            assert (mine - other).abs().max() > 0.01 * mine.abs().max()


def _of_the_rows_alone(g, side):
    """The gradient that is left when all columns are constant."""
    other = {"image": "text", "text": "image"}[side]
    rows = g[f"in_{side}"].clone().requires_grad_()
    columns = g[f"in_{other}"].flatten(0, 1)
    logits = g["hp_logit_scale"] * rows @ columns.T
    partner = torch.arange(len(columns)).view(rows.shape[:2])
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), partner.flatten(), reduction="none")
    (losses.view(partner.shape).mean(1).sum() / 2).backward()
    return rows.grad

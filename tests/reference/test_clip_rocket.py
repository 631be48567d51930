"""Improved CLIP and what clip-rocket adds to it (losses.py): each method there is a term plus improved CLIP.

Here every term is an objective of its own, so a total of the original is a sum of ours.
"""

import pytest
import torch
import torch.nn.functional as F

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import OBJECTIVES
from protoclip_cli.objectives._prediction import prediction_loss
from protoclip_cli.objectives._sinkhorn import sinkhorn
from protoclip_cli.objectives.info_nce import info_nce
from protoclip_cli.objectives.swalip_v1 import swapped_prototypes

SIDES = ("image", "text")
WIDTHS = Widths(16, {"h": 16, "v": 12})


def _build(kind, scales=None, **settings):
    """An objective in float64, with the scales of a file."""
    objective = OBJECTIVES.spec(kind)(kind=kind, **settings).build(WIDTHS, None).double()
    for name, scale in (scales or {}).items():
        torch.nn.init.constant_(getattr(objective, name), torch.tensor(scale).double().log())
    return objective


def _improved_clip(g):
    views = g["hp_num_augs"]
    return _build(
        "local_contrast",
        {"log_scale": g["hp_logit_scale"]}
        | ({"augmented_log_scale": g["hp_h_logit_scale"]} if views else {}),
        augmented_views=views,
        augmented_head="h",
        label_smoothing=g.get("hp_label_smoothing", 0),
        reduction=g["hp_loss_reduction"],
    )


def _open(load, path):
    """A file whose inputs want gradients."""
    g = load(path)
    for name, array in g.items():
        if name.startswith("in_"):
            array.requires_grad_()
    return g


def _batch(g):
    """The inputs of a file: the embedding of clean views, and the heads `h` and `v`."""

    def side(name):
        views = [Features(g[f"in_z_{name}_global"], {"v": g.get(f"in_v_{name}")})]
        for a in range(g["hp_num_augs"]):
            heads = {part: g.get(f"in_{part}_{name}_local_{a}") for part in "hv"}
            views.append(Features(heads["h"], heads))
        return tuple(views)

    return StepInputs(side("image"), side("text"), own=slice(0, len(g["in_z_image_global"])))


def _same(ours, theirs):
    assert ours.item() == pytest.approx(theirs, rel=1e-8)


def _of_scale(log_scale):
    """The gradient in a scale, from that in its logarithm."""
    return log_scale.grad / log_scale.exp()


def _check(g, near, total):
    """The total and its gradients in all inputs."""
    total.backward()
    _same(total, g["out_loss"])
    for name in [name for name in g if name.startswith("grad_") and f"in_{name[5:]}" in g]:
        array = g[f"in_{name[5:]}"]
        near(torch.zeros_like(array) if array.grad is None else array.grad, g[name])


def test_improved_clip(golden, load, near):
    for path in golden("rocket_cl2l*.npz"):
        g = _open(load, path)
        objective = _improved_clip(g)
        outcome = objective(_batch(g))
        _check(g, near, outcome.loss)
        _same(_of_scale(objective.log_scale), g["grad_logit_scale"])
        assert 100 * outcome.metrics["accuracy"].item() == pytest.approx(g["out_clip_acc_image_global"])
        if not g["hp_num_augs"]:
            assert g["grad_h_logit_scale"] == 0  # ours has no such scale
            continue
        _same(_of_scale(objective.augmented_log_scale), g["grad_h_logit_scale"])
        accuracy = 100 * outcome.metrics["augmented_accuracy"].item()
        assert accuracy == pytest.approx(g["out_clip_acc_image_local"])


def test_clip_is_improved_clip_without_augmented_views(golden, load, near):
    for path in golden("rocket_clip*.npz"):
        g = _open(load, path)
        objective = _build("local_contrast", {"log_scale": g["hp_logit_scale"]}, augmented_views=0)
        image, text = ((Features(g[f"in_z_{side}"]),) for side in SIDES)
        outcome = objective(StepInputs(image, text, slice(0, len(g["in_z_image"]))))
        _check(g, near, outcome.loss)
        _same(_of_scale(objective.log_scale), g["grad_logit_scale"])
        assert 100 * outcome.metrics["accuracy"].item() == pytest.approx(g["out_clip_acc"])


def test_barlip(golden, load, near):
    for path in golden("rocket_barlip*.npz"):
        g = _open(load, path)
        settings = {"off_diagonal": g["hp_lamb"], "factor": g["hp_scale_loss"]}
        term = _build("barlip", augmented_views=g["hp_num_augs"], head="v", **settings)
        own, clip = term(_batch(g)).loss, _improved_clip(g)(_batch(g)).loss
        _same(own, g["out_barlip_loss"])
        _same(clip, g["out_clip_loss"])
        _check(g, near, own + clip)


@pytest.mark.parametrize("kind", ["siamlip", "byolip"])
def test_siamlip_and_byolip(golden, load, near, kind):
    """The files begin behind the predictors."""
    for path in golden("rocket_siamlip*.npz") if kind == "siamlip" else golden("rocket_byolip*.npz"):
        g = _open(load, path)
        momentum = "_momentum" if kind == "byolip" else ""

        def views(part, side, end="", g=g):
            local = [g[f"in_{part}_{side}_local{end}_{a}"] for a in range(g["hp_num_augs"])]
            return torch.stack([g[f"in_{part}_{side}{end}"], *local])

        predicted = {side: views("p", side) for side in SIDES}
        target = {side: views("v", side, momentum).detach() for side in SIDES}
        own = sum(prediction_loss(predicted[s], target[o]) for s, o in (SIDES, SIDES[::-1])) / 2
        _same(own, g["out_siamlip_loss"])
        _check(g, near, own + _improved_clip(g)(_batch(g)).loss)


def test_swalip(golden, load, near):
    for path in golden("rocket_swalip_b*.npz"):
        g = _open(load, path)
        settings = {"iterations": g["hp_sk_iters"], "epsilon": g["hp_epsilon"], "augmented_head": "h"}
        term, clip = _build("swalip", {"log_scale": g["hp_h_logit_scale"]}, **settings), _improved_clip(g)
        own = term(_batch(g)).loss
        _same(own, g["out_swalip_loss"])
        _check(g, near, g["hp_weight"] * own + clip(_batch(g)).loss)
        # There both terms read one scale; here each has its own, and the gradients add up to the original's.
        _same(_of_scale(term.log_scale) + _of_scale(clip.augmented_log_scale), g["grad_h_logit_scale"])


def test_swalip_v1(golden, load, near):
    """The files begin behind the prototypes, and add InfoNCE."""
    for path in golden("rocket_swalip_v1*.npz"):
        g = _open(load, path)
        momentum = "_momentum" if "momentum" in path.name else ""
        scale, clip_scale = (
            torch.tensor(g[f"hp_{name}"], dtype=torch.float64, requires_grad=True)
            for name in ("swalip_logit_scale", "logit_scale")
        )
        scores = [g[f"in_p_{side}"] for side in SIDES]
        assigned = [
            sinkhorn(g[f"in_p_{side}{momentum}"], g["hp_sk_iters"], g["hp_epsilon"]) for side in SIDES
        ]
        own = swapped_prototypes(*scores, *assigned, scale)
        _same(own, g["out_swalip_loss"])
        clip, _ = info_nce(*(F.normalize(g[f"in_z_{side}"], dim=-1) for side in SIDES), clip_scale)
        _check(g, near, g["hp_weight"] * own + clip)
        _same(scale.grad, g["grad_swalip_logit_scale"])
        _same(clip_scale.grad, g["grad_logit_scale"])

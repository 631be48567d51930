"""clip-rocket's losses (losses.py) on 2 and 3 processes.

It gathers without gradients, so there the columns of a comparison learn nothing, and several processes learn
something else than one. Ours gathers with gradients; `column_gradient: false` is the original.
"""

import pytest
import torch

from protoclip_cli.compute.processes import collect, rank
from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import OBJECTIVES

NAMES = ["image", "text", "h_image_0", "h_image_1", "h_text_0", "h_text_1"]


def _learn(kinds, arrays):
    """Of this process: the losses, and the gradients of their weighted sum before any averaging.

    Args:
        kinds: of each objective its settings, its weight and its scales.
        arrays: inputs of all ranks by name; `image` and `text` are the embeddings, the rest a head.
    """
    mine = {name: array[rank()].clone().requires_grad_() for name, array in arrays.items()}

    def side(name):
        views = [mine[name], *(rows for key, rows in mine.items() if key.startswith(f"h_{name}"))]
        return tuple(Features(view, {"h": view}) for view in map(collect, views))

    share = len(mine["image"])
    inputs = StepInputs(side("image"), side("text"), slice(rank() * share, (rank() + 1) * share))
    losses, of_scales = [], {}
    for settings, weight, scales in kinds:
        spec = OBJECTIVES.spec(settings["kind"]).model_validate(settings)
        objective = spec.build(Widths(share), None).double()
        for name, scale in scales.items():
            torch.nn.init.constant_(getattr(objective, name), torch.tensor(scale).double().log())
        losses.append(objective(inputs).loss)
        (weight * losses[-1]).backward(retain_graph=True)
        for name in scales:
            parameter = getattr(objective, name)
            of_scales[spec.kind, name] = parameter.grad / parameter.detach().exp()
    gradients = {name: rows.grad for name, rows in mine.items()}
    return [loss.detach() for loss in losses], gradients, of_scales


@pytest.fixture
def run(on_processes):
    """Losses, gradients and those of scales, with a leading axis of ranks."""

    def together(g, *kinds):
        arrays = {name: g[f"in_{name}"] for name in NAMES if f"in_{name}" in g}
        results = on_processes(g["hp_world_size"], _learn, list(kinds), arrays)
        losses = [torch.stack(parts) for parts in zip(*(losses for losses, _, _ in results), strict=True)]
        first = results[0]
        gradients, scales = (
            {name: torch.stack([result[i][name] for result in results]) for name in first[i]} for i in (1, 2)
        )
        return losses, gradients, scales

    return together


def _clip(g, column_gradient):
    settings = {"kind": "local_contrast", "augmented_views": 0, "column_gradient": column_gradient}
    return settings, 1, {"log_scale": g["hp_logit_scale"]}


def _improved_clip(g, column_gradient, smoothing=0.0):
    settings = {"kind": "local_contrast", "augmented_head": "h", "column_gradient": column_gradient}
    scales = {"log_scale": g["hp_logit_scale"], "augmented_log_scale": g["hp_h_logit_scale"]}
    return settings | {"label_smoothing": smoothing}, 1, scales


def _swalip(g, column_gradient):
    settings = {"kind": "swalip", "augmented_head": "h", "column_gradient": column_gradient}
    return settings, 0.2, {"log_scale": g["hp_h_logit_scale"]}


def _check(g, near, run, kinds):
    """With constant columns all is as there; with gradients the values are, and what is learned is not."""
    for column_gradient in (False, True):
        losses, gradients, scales = run(g, *(kind(g, column_gradient) for kind in kinds))
        weights = [kind(g, True)[1] for kind in kinds]
        near(sum(w * loss for w, loss in zip(weights, losses, strict=True)), g["out_loss"], 1e-8)
        near(scales["local_contrast", "log_scale"], g["grad_logit_scale"], 1e-8)
        if "grad_h_logit_scale" in g:
            shared = sum(grad for (_, name), grad in scales.items() if name == "augmented_log_scale")
            near(shared + scales.get(("swalip", "log_scale"), 0), g["grad_h_logit_scale"], 1e-8)
        for name, mine in gradients.items():
            theirs = g[f"grad_{name}"]
            if column_gradient:
                assert (mine - theirs).abs().max() > 0.01 * mine.abs().max()
            else:
                near(mine, theirs)
    return losses


def test_clip(golden, load, near, run):
    for path in golden("dist?_rocket_clip_s*.npz"):
        _check(load(path), near, run, [_clip])


def test_improved_clip(golden, load, near, run):
    for path in golden("dist?_rocket_cl2l_s*.npz"):
        _check(load(path), near, run, [lambda g, columns: _improved_clip(g, columns, 0.1)])


def test_swalip(golden, load, near, run):
    for path in golden("dist?_rocket_swalip_s*.npz"):
        g = load(path)
        losses = _check(g, near, run, [_swalip, _improved_clip])
        near(losses[0], g["out_swalip_loss"], 1e-8)


def test_barlips_correlations_learn_less_there_the_more_processes(golden, load, near, run):
    """Their sum over processes has no gradient; `weight` divided by the processes is the original."""
    for path in golden("dist?_rocket_barlip_term*.npz"):
        g = load(path)
        g |= {f"in_{side}": g[f"in_v_{side}"] for side in ("image", "text")}
        (loss,), gradients, _ = run(g, ({"kind": "barlip", "augmented_views": 0}, 1, {}))
        near(loss.mean().expand_as(loss), g["out_loss"], 1e-8)
        for side, mine in gradients.items():
            near(mine / g["hp_world_size"], g[f"grad_v_{side}"])

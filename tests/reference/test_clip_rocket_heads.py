"""clip-rocket's projectors (models.py), as settings of `mlp`, and the predictor of SiamLIP."""

import pytest
import torch

from protoclip_cli.models.heads import HEADS
from protoclip_cli.objectives._prediction import predictor

SETTINGS = {
    "mlp3": {"layers": 2},
    "barlip_projector": {"layers": 2, "final_norm": "affine"},
    "siamlip_projector": {"bias": False, "final_norm": "plain"},
}
PLACES = {
    "mlp3": {"layer1": "0", "bn1": "1", "layer2": "3", "bn2": "4", "layer3": "6"},
    "siamlip_projector": {"0.0": "0", "0.1": "1", "0.3": "3", "1": "4"},
}
"""Names of the original's layers, and ours."""


def _weights(g, places):
    return {
        f"{places.get(place, place)}.{name}": torch.as_tensor(array)
        for key, array in g.items()
        if key.startswith("param_")
        for place, _, name in [key.removeprefix("param_").rpartition(".")]
    }


def _check(module, g, near):
    x = g["in_x"].requires_grad_()
    out = module.double().train()(x)
    near(out.detach(), g["out_y"], 1e-9)
    (out * g["in_w"]).sum().backward()
    near(x.grad, g["grad_x"], 1e-6)


@pytest.mark.parametrize("name", SETTINGS)
def test_projectors(golden, load, near, name):
    found = [path for path in golden("rocket_head_*.npz") if name in path.name]
    for path in found:
        g = load(path)
        weights = _weights(g, PLACES.get(name, {}))
        sizes = {"hidden": len(weights["0.weight"]), "dim": g["out_y"].shape[1]}
        head = HEADS.spec("mlp")(kind="mlp", **SETTINGS[name], **sizes).build(g["in_x"].shape[1])
        head.load_state_dict(weights)
        _check(head, g, near)


def test_the_predictor(golden, load, near):
    """Ours remembers no statistics: its batch norm always looks at the batch."""
    for path in golden("rocket_head_siamlip_predictor*.npz"):
        g = load(path)
        weights = {
            name: w for name, w in _weights(g, {}).items() if "running" not in name and "num" not in name
        }
        module = predictor(g["in_x"].shape[1], len(weights["0.weight"]))
        module.load_state_dict(weights)
        _check(module, g, near)
        assert not list(module.buffers())

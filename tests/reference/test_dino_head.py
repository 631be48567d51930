"""ITRA's projection head (itra/training/projection.py)."""

import pytest
import torch

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.models.heads import HEADS


def _head(layers, width, prototypes=None, **sizes):
    spec = HEADS.spec("dino")(kind="dino", layers=layers, prototypes=prototypes, **sizes)
    head = spec.build(width).double()
    assert head(torch.ones(1, width).double()).shape == (1, spec.width)
    return head


def _fill(head, g):
    """Their weights in ours. A single linear map has no number in theirs."""
    names = {"mlp.weight": "mlp.0.weight", "mlp.bias": "mlp.0.bias"}
    weights = {n.removeprefix("param_"): value for n, value in g.items() if n.startswith("param_mlp")}
    state = {names.get(name, name): value for name, value in weights.items()}
    if head.prototypes is not None:
        assert (g["param_last_layer.weight_g"] == 1).all()
        state["prototypes.directions"] = g["param_last_layer.weight_v"]
    head.load_state_dict(state)


def test_it_equals_itras_with_prototypes_and_without(golden, load, near):
    for path in golden("itra_dinohead*.npz"):
        g = load(path)
        sizes = {"hidden": 7, "dim": g["out_bottleneck"].shape[1]}
        plain = _head(g["hp_layers"], g["in_x"].shape[1], **sizes)
        _fill(plain, g)
        near(plain(g["in_x"]).detach(), g["out_bottleneck"])
        head = _head(g["hp_layers"], g["in_x"].shape[1], g["out_scores"].shape[1], **sizes)
        _fill(head, g)
        x = g["in_x"].requires_grad_()
        scores = head(x)
        near(scores.detach(), g["out_scores"])
        (scores * g["in_w"]).sum().backward()
        near(x.grad, g["grad_x"])


def test_it_starts_as_itras():
    head = _head(3, 64)
    maps = [module for module in head.mlp if isinstance(module, torch.nn.Linear)]
    assert [tuple(linear.weight.shape) for linear in maps] == [(2048, 64), (2048, 2048), (256, 2048)]
    assert all(linear.weight.std().item() == pytest.approx(0.02, rel=0.02) for linear in maps)
    assert not any(linear.bias.any() for linear in maps)


def test_without_a_layer_nothing_can_change_the_width():
    with pytest.raises(RecipeError, match="as wide as what it reads, 64, not 256") as caught:
        _head(0, 64)
    assert caught.value.hint == "set dim: 64, or layers to 1 or more"


def test_without_layers_it_is_the_embedding_at_unit_length():
    rows = torch.randn(3, 8).double()
    head = _head(0, 8, dim=8)
    assert list(head.parameters()) == []
    torch.testing.assert_close(head(rows), torch.nn.functional.normalize(rows, dim=-1))

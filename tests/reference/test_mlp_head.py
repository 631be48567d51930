"""ProtoCLIP's projection head (open_clip/model.py)."""

import pytest
import torch
import torch.nn.functional as F

from protoclip_cli.models.heads import HEADS


def test_it_equals_protoclips_in_training_and_in_evaluation(golden, load, near):
    for path in golden("protoclip_head_*.npz"):
        g = load(path)
        sizes = {"layers": g["hp_layers"], "hidden": g["hp_hidden"], "dim": g["hp_out"]}
        head = HEADS.spec("mlp")(kind="mlp", **sizes).build(g["in_x"].shape[1]).double()
        head.load_state_dict(
            {n.removeprefix("param_"): torch.as_tensor(x) for n, x in g.items() if n.startswith("param_")}
        )
        x = g["in_x"].requires_grad_()
        out = F.normalize(head.train()(x), dim=-1)
        near(out.detach(), g["out_train"])
        (out * g["in_w"]).sum().backward()
        near(x.grad, g["grad_x"])
        for name, buffer in head.named_buffers():
            if f"state_{name}" in g:
                near(buffer, g[f"state_{name}"])
        near(F.normalize(head.eval()(g["in_x"]), dim=-1).detach(), g["out_eval"])
        assert g["out_heads_start_identical"] is True


def test_heads_start_identical_by_default_and_differ_on_request():
    spec = HEADS.spec("mlp")
    assert spec(kind="mlp").shared_start
    assert not spec(kind="mlp", shared_start=False).shared_start


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_its_sizes_are_the_papers_by_default(layers):
    head = HEADS.spec("mlp")(kind="mlp", layers=layers).build(1024)
    assert head(torch.zeros(2, 1024)).shape == (2, 128)
    assert sum(isinstance(module, torch.nn.BatchNorm1d) for module in head) == layers

"""Which parameters decay: ProtoCLIP (training/main.py), open_clip (optim.py) and ITRA (optimization.py)."""

import pytest
import torch
from torch import nn

from protoclip_cli.optimization.decay import without_decay
from protoclip_cli.optimization.groups import group_parameters
from protoclip_cli.optimization.optimizers.adamw import AdamWSpec


@pytest.fixture
def parameters(load):
    """A file, and parameters of its names and shapes."""

    def build(path):
        g = load(path)
        shapes = [[int(n) for n in shape.split("x") if n] for shape in g["in_shapes"]]
        named = [(n, nn.Parameter(torch.empty(s))) for n, s in zip(g["in_names"], shapes, strict=True)]
        return g, named

    return build


def test_the_rule_and_the_groups_equal_protoclip(golden, parameters):
    for path in golden("paramgroups_protoclip*.npz"):
        g, named = parameters(path)
        image = frozenset(n for n, here in zip(g["in_names"], g["out_image_group"], strict=True) if here)
        groups = group_parameters(named, image, "protoclip")
        ours = {n: (group.side == "image", not group.decays) for group in groups for n in group.names}
        flags = zip(g["out_image_group"].tolist(), g["out_no_decay"].tolist(), strict=True)
        assert ours == dict(zip(g["in_names"], flags, strict=True))
        assert [(group.side, group.decays) for group in groups] == [
            ("image", False),
            ("image", True),
            ("rest", False),
            ("rest", True),
        ]


def test_the_rule_equals_open_clip(golden, parameters):
    for path in golden("paramgroups_openclip*.npz", without="*llrd*"):
        g, named = parameters(path)
        ours = [without_decay("open_clip", name, parameter.ndim) for name, parameter in named]
        assert dict(zip(g["in_names"], ours, strict=True)) == dict(
            zip(g["in_names"], g["out_no_decay"].tolist(), strict=True)
        )


def test_the_decay_of_each_parameter_equals_itra(golden, parameters):
    for path in golden("paramgroups_itra_plain*.npz"):
        g, named = parameters(path)
        decay = g["out_weight_decay"].max().item()
        groups = group_parameters(named, frozenset(), "itra")
        spec = AdamWSpec(kind="adamw", lr=1.0, weight_decay=decay, decay_rule="itra")
        built = spec.build(groups).param_groups
        ours = {n: b["weight_decay"] for group, b in zip(groups, built, strict=True) for n in group.names}
        assert ours == dict(zip(g["in_names"], g["out_weight_decay"].tolist(), strict=True))
        assert decay > 0
        assert [b["lr"] for b in built] == [1.0] * len(built)
        assert g["out_lr_scale"].eq(1).all()

"""Which parameters decay, and who follows which rate."""

import pytest
import torch
from torch import nn

from protoclip_cli.optimization.decay import without_decay
from protoclip_cli.optimization.groups import group_parameters
from protoclip_cli.optimization.optimizers import OPTIMIZERS

SHAPES = (("weight", (2, 2)), ("bias", (2,)))


@pytest.mark.parametrize(
    ("name", "dimensions", "rules"),
    [
        ("visual.conv1.weight", 4, set()),
        ("visual.ln_pre.weight", 1, {"protoclip", "open_clip", "itra"}),
        ("logit_scale", 0, {"protoclip", "open_clip", "itra"}),
        ("image.projection_head.0.weight", 2, {"protoclip"}),
        ("visual.positional_embedding", 2, {"open_clip"}),
        ("text.attn.in_proj.bias", 2, {"protoclip", "itra"}),
    ],
)
def test_the_rules_leave_out(name, dimensions, rules):
    found = {rule for rule in ("protoclip", "open_clip", "itra") if without_decay(rule, name, dimensions)}
    assert found == rules


def test_every_parameter_is_in_one_group_and_empty_groups_are_left_out():
    named = [("image.weight", nn.Parameter(torch.ones(2, 2))), ("log_scale", nn.Parameter(torch.ones(())))]
    groups = group_parameters(named, frozenset({"image.weight"}), "protoclip")
    assert [(g.side, g.decays, g.names) for g in groups] == [
        ("image", True, ["image.weight"]),
        ("rest", False, ["log_scale"]),
    ]
    assert [g.parameters[0] for g in groups] == [p for _, p in named]


def test_parameters_of_other_scales_are_in_groups_of_their_own_in_a_fixed_order():
    named = [(f"block{i}.{what}", nn.Parameter(torch.ones(shape))) for i in (1, 0) for what, shape in SHAPES]
    scales = {"block0.weight": 0.25, "block0.bias": 0.25, "block1.weight": 0.5}
    groups = group_parameters(named, frozenset({"block0.weight", "block0.bias"}), "protoclip", scales)
    assert [(g.side, g.decays, g.scale, g.names) for g in groups] == [
        ("image", False, 0.25, ["block0.bias"]),
        ("image", True, 0.25, ["block0.weight"]),
        ("rest", False, 1.0, ["block1.bias"]),
        ("rest", True, 0.5, ["block1.weight"]),
    ]
    spec = OPTIMIZERS.spec("sgd")(kind="sgd", lr=1.0, text_lr=2.0)
    assert [g["lr"] for g in spec.build(groups).param_groups] == [0.25, 0.25, 2.0, 1.0]

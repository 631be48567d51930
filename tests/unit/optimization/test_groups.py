"""Which parameters decay, and who follows which rate."""

import pytest
import torch
from torch import nn

from protoclip_cli.optimization.decay import without_decay
from protoclip_cli.optimization.groups import group_parameters


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

"""What every optimiser of the catalog keeps."""

import copy

import pytest
import torch
from torch import nn

from protoclip_cli.optimization.groups import group_parameters
from protoclip_cli.optimization.optimizers import OPTIMIZERS

pytestmark = pytest.mark.parametrize("kind", OPTIMIZERS.kinds())
RATES = {"lr": 1e-2, "text_lr": 3e-2, "weight_decay": 0.1}


def _model():
    return nn.ModuleDict({"image": nn.Linear(3, 2), "text": nn.Linear(3, 2)})


def _build(kind, model, **settings):
    spec = OPTIMIZERS.spec(kind).model_validate({"kind": kind} | RATES | settings)
    image = frozenset(name for name, _ in model.named_parameters() if name.startswith("image"))
    return spec.build(group_parameters(model.named_parameters(), image, spec.decay_rule))


def _step(model, optimizer):
    optimizer.zero_grad()
    chance = torch.Generator().manual_seed(1)
    rows = torch.randn(8, 3, generator=chance)
    loss = sum(((tower(rows) - 1) ** 2).mean() for tower in model.values())
    loss.backward()
    optimizer.step()
    return loss.item()


def test_its_groups_have_the_rate_of_their_side_and_decay_or_not(kind):
    groups = _build(kind, _model()).param_groups
    assert [(g["side"], g["lr"], g["weight_decay"]) for g in groups] == [
        ("image", 1e-2, 0.0),
        ("image", 1e-2, 0.1),
        ("rest", 3e-2, 0.0),
        ("rest", 3e-2, 0.1),
    ]


def test_without_a_text_rate_all_have_one_rate(kind):
    assert {g["lr"] for g in _build(kind, _model(), text_lr=None).param_groups} == {1e-2}


def test_it_lowers_a_loss(kind):
    model = _model()
    optimizer = _build(kind, model)
    losses = [_step(model, optimizer) for _ in range(30)]
    assert losses[-1] < losses[0] / 2


def test_a_rate_of_0_changes_nothing(kind):
    model = _model()
    optimizer = _build(kind, model)
    before = copy.deepcopy(model.state_dict())
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    _step(model, optimizer)
    torch.testing.assert_close(dict(model.state_dict()), dict(before), rtol=0, atol=0)


def test_it_goes_on_from_its_state_to_the_last_bit(kind):
    first = _model()
    one = _build(kind, first)
    _step(first, one)
    second = copy.deepcopy(first)
    two = _build(kind, second)
    two.load_state_dict(copy.deepcopy(one.state_dict()))
    _step(first, one)
    _step(second, two)
    torch.testing.assert_close(dict(first.state_dict()), dict(second.state_dict()), rtol=0, atol=0)


def test_every_field_is_described(kind):
    fields = OPTIMIZERS.spec(kind).model_fields
    assert [name for name, field in fields.items() if name != "kind" and not field.description] == []

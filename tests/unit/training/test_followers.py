"""Copies of the model that follow it, against the formula, step by step."""

import copy

import pytest
import torch

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Modality
from protoclip_cli.training.followers import MomentumCopy, WeightAverage
from protoclip_cli.training.frozen import FrozenModel


def change(model, number):
    """What an optimiser and a forward pass might do to a model."""
    chance = torch.Generator().manual_seed(number)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=chance, dtype=parameter.dtype))
        model.train()(
            Modality.IMAGE, torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8, generator=chance)
        )


def test_the_momentum_copy_follows_in_parameters_alone(make_learner):
    model = make_learner().double().model
    one = MomentumCopy(model, 0.9)
    want = {name: p.detach().clone() for name, p in model.named_parameters()}
    for number in range(3):
        change(model, number)
        one.follow(model, number + 1)
        want = {name: 0.9 * want[name] + 0.1 * p.detach() for name, p in model.named_parameters()}
    torch.testing.assert_close(dict(one.model.named_parameters()), want)
    assert not any(p.requires_grad for p in one.model.parameters())
    assert one.model.towers.visual[1].num_batches_tracked == 0


def test_the_momentum_copy_looks_in_the_modes_of_the_model_and_keeps_its_own_statistics(
    make_learner, make_batch
):
    model = make_learner(heads=["proto"]).double().model.train()
    one = MomentumCopy(model, 0.9)
    needs = Needs(image_views=1, text_views=1, heads=frozenset({"proto"}))
    one.enter(model)
    features = one.project(one.encode(make_batch(), needs), needs)
    torch.testing.assert_close(
        features.image[0].heads, model(Modality.IMAGE, make_batch().image[0], ["proto"]).heads
    )
    assert not features.text[0].embedding.requires_grad
    change(model, 0)
    before = copy.deepcopy(one.model.towers.visual[1].state_dict())
    model.set_learning(Modality.IMAGE, False)
    one.enter(model)
    one.encode(make_batch(), needs)
    assert one.model.towers.rest.training
    torch.testing.assert_close(one.model.towers.visual[1].state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize("start", [0, 2])
def test_the_average_takes_in_weights_and_statistics_from_its_start(start, make_learner):
    model = make_learner().double().model
    mask = torch.full((2, 2), -torch.inf).triu(1)
    model.towers.register_buffer("mask", mask.clone(), persistent=False)
    one, want = WeightAverage(model, 0.9, start), None
    for number in range(4):
        if number == start:
            want = {name: tensor.clone() for name, tensor in one.model.state_dict().items()}
        change(model, number)
        one.follow(model, number + 1)
        if want is None:
            torch.testing.assert_close(one.model.state_dict(), model.state_dict(), rtol=0, atol=0)
            continue
        for name, tensor in model.state_dict().items():
            want[name] = 0.9 * want[name] + 0.1 * tensor if tensor.is_floating_point() else tensor.clone()
    torch.testing.assert_close(dict(one.model.state_dict()), want)
    assert torch.equal(one.model.towers.mask, mask)
    assert not one.model.training


def test_a_frozen_model_resizes_images_and_says_so_once(make_learner, make_batch):
    model, told = make_learner().model, []
    with torch.no_grad():
        model.towers.logit_scale.fill_(2.0)
    frozen = FrozenModel(model, "", told.append)
    batch = make_batch()
    large = batch.image[0].repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert large.shape == (8, 3, 16, 16)
    first = frozen.encode(batch)
    assert told == []
    frozen.encode(type(batch)(batch.position, batch.row, batch.caption, (large,), batch.text))
    flat = torch.full((2, 3, 16, 16), 77, dtype=torch.uint8)
    resized = frozen.encode(type(batch)(batch.position, batch.row, batch.caption, (flat,), ()))
    torch.testing.assert_close(
        resized.image[0].embedding, model(Modality.IMAGE, flat[..., :8, :8]).embedding, rtol=1e-4, atol=1e-5
    )
    assert resized.text == ()
    assert told == ["frozen_model: images of 16 x 16 pixels are resized to 8 x 8 for it"]
    assert not model.training
    assert not first.image[0].embedding.requires_grad
    assert frozen.scale == 1  # towers that started from chance have none

"""SimCSE and SigLIP by hand, and the prototypes that DINO and ProtoCPC share."""

import copy
import math

import pytest
import torch

from protoclip_cli.core.prototype_layer import PrototypeLayer
from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import OBJECTIVES
from protoclip_cli.objectives.siglip import siglip_loss


def _simcse(**settings):
    return OBJECTIVES.spec("simcse")(kind="simcse", **settings)


def test_simcse_of_two_orthogonal_captions_by_hand():
    rows = torch.eye(2, dtype=torch.float64)
    views = (Features(rows), Features(3 * rows), Features(-rows))
    loss = _simcse().build(Widths(2), None)(StepInputs((), views, own=slice(0, 2))).loss
    assert loss.item() == pytest.approx(math.log1p(math.exp(-20)), rel=1e-6)


def test_both_encodings_of_a_caption_learn():
    """ITRA's second one does not over several processes (IT-13)."""
    first, second = torch.randn(2, 4, 3).requires_grad_().unbind()
    views = (Features(first), Features(second))
    objective = _simcse().build(Widths(3), None)
    losses = [objective(StepInputs((), views, own=own)).loss for own in (slice(0, 2), slice(2, 4))]
    for gradient in torch.autograd.grad(sum(losses), [first, second]):
        assert (gradient.abs().sum(dim=-1) > 0).all()


def test_simcse_needs_no_image_but_two_texts_and_dropout():
    needs = _simcse().needs()
    assert (needs.towers, needs.text_views, needs.dropout) == ({"text"}, 2, {"text"})


def test_itras_scale_of_simcse_is_the_default_to_three_digits():
    assert math.exp(2.996) == pytest.approx(1 / _simcse().temperature, rel=3e-4)


def test_siglip_of_two_pairs_by_hand():
    rows, scale, bias = torch.eye(2).double(), torch.tensor(2.0).double(), torch.tensor(-1.0).double()
    expected = math.log1p(math.exp(-1)) + math.log1p(math.exp(-1))  # logits 1 and -1
    assert siglip_loss(rows, rows, scale, bias)[0].item() == pytest.approx(expected, rel=1e-12)
    assert siglip_loss(rows, rows.flip(0), scale, bias)[1] == 0


def test_siglip_in_chunks_is_the_same_with_fewer_logits_at_a_time():
    image, text = torch.randn(2, 7, 3, dtype=torch.float64).requires_grad_().unbind()
    scale, bias = torch.tensor([3.0, -2.0], dtype=torch.float64).requires_grad_().unbind()
    sizes = []

    def learn(chunk):
        def note(tensor):
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss, accuracy = siglip_loss(image, text, scale, bias, slice(1, 7), chunk)
        return loss, accuracy, *torch.autograd.grad(loss, [image, text, scale, bias], retain_graph=True)

    whole = learn(None)
    assert max(sizes) == 42
    sizes.clear()
    torch.testing.assert_close(learn(2), whole)
    assert max(sizes) < 42


def test_siglip_keeps_its_scale_in_bounds_and_not_its_bias():
    objective = OBJECTIVES.spec("siglip")(kind="siglip", min_temperature=0.1).build(Widths(3), None)
    assert objective.log_scale.exp().item() == pytest.approx(10)
    assert objective.bias == -10
    with torch.no_grad():
        objective.log_scale.fill_(9.0)
        objective.bias.fill_(-99.0)
    objective.after_step(StepInputs((), (), own=slice(0)))
    assert objective.log_scale.exp().item() == pytest.approx(10)
    assert objective.bias == -99


def test_siglip_starts_from_the_scale_of_a_pretrained_model():
    spec = OBJECTIVES.spec("siglip")
    assert spec(kind="siglip").build(Widths(3), torch.tensor(4.0)).log_scale == 4
    set_by_hand = spec(kind="siglip", temperature=0.5).build(Widths(3), torch.tensor(4.0))
    assert set_by_hand.log_scale.exp().item() == pytest.approx(2)


def test_only_the_directions_of_prototypes_count():
    layer = PrototypeLayer(5, 3)
    rows = torch.nn.functional.normalize(torch.randn(4, 3), dim=-1)
    scores = layer(rows)
    assert scores.abs().max() <= 1
    with torch.no_grad():
        layer.directions.mul_(7)
    torch.testing.assert_close(layer(rows), scores)
    layer(rows).sum().backward()
    along = (layer.directions.grad * layer.directions).sum(dim=-1)
    assert along.abs().max() < 1e-5


@pytest.mark.parametrize("kind", ["dino", "proto_cpc"])
def test_a_student_like_its_teacher_loses_less(kind):
    objective = OBJECTIVES.spec(kind)(kind=kind, prototypes=50).build(Widths(5), None)
    teacher = torch.randn(4, 5)
    good, bad = (
        objective(StepInputs((Features(student),), (Features(teacher),), own=slice(0, 4)))
        for student in (3 * teacher, -teacher)
    )
    assert good.loss < bad.loss
    assert good.metrics["agreement"].item() == pytest.approx(1)


def test_the_prior_counts_what_the_teacher_takes_in_parts_as_in_one(monkeypatch):
    sides = (Features(torch.randn(7, 3)),), (Features(torch.randn(7, 3)),)
    priors = []
    for rows, own in ((100, slice(0, 7)), (100, slice(2, 4)), (2, slice(2, 4))):
        monkeypatch.setattr("protoclip_cli.objectives.proto_cpc._ROWS", rows)
        objective = OBJECTIVES.spec("proto_cpc")(kind="proto_cpc", prototypes=9).build(Widths(3), None)
        inputs = StepInputs(*sides, own=own)
        objective(inputs)
        objective.after_step(inputs)
        unscored = copy.deepcopy(objective)
        unscored.prior.fill_(1)
        unscored.after_step(StepInputs(*sides, own=own))
        torch.testing.assert_close(unscored.prior, objective.prior)
        priors.append(objective.prior)
    torch.testing.assert_close(priors[1], priors[0])
    torch.testing.assert_close(priors[2], priors[0])
    assert priors[0].mean().item() == pytest.approx(1)
    assert priors[0].std() > 0


def test_processes_with_other_rows_of_their_own_have_the_same_prior_to_the_bit():
    sides = (Features(torch.randn(64, 8)),), (Features(torch.randn(64, 8)),)
    priors = []
    for own in (slice(0, 20), slice(20, 40)):
        objective = OBJECTIVES.spec("proto_cpc")(kind="proto_cpc", prototypes=900).build(Widths(8), None)
        inputs = StepInputs(*sides, own=own)
        objective(inputs)
        objective.after_step(inputs)
        priors.append(objective.prior)
    assert torch.equal(*priors)


def test_the_prior_moves_to_what_was_taken_before_the_prototypes_moved():
    inputs = StepInputs((Features(torch.randn(7, 3)),), (Features(torch.randn(7, 3)),), own=slice(0, 7))
    objective = OBJECTIVES.spec("proto_cpc")(kind="proto_cpc", prototypes=9).build(Widths(3), None)
    again = copy.deepcopy(objective)
    for each in (objective, again):
        each(inputs)
        if each is again:
            torch.nn.init.zeros_(each.layer.directions)
        each.after_step(inputs)
    torch.testing.assert_close(objective.prior, again.prior)

"""SwALIP by hand, with any number of views, and its first version."""

import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._sinkhorn import sinkhorn
from protoclip_cli.objectives.swalip import SwALIPSpec, swapped_assignment
from protoclip_cli.objectives.swalip_v1 import SwALIPv1Spec, swapped_prototypes


def _inputs(views, rows=5, width=4, momentum=False):
    def side():
        return tuple(
            Features(torch.randn(rows, width, requires_grad=True), {"h": torch.randn(rows, width)})
            for _ in range(views)
        )

    image, text = side(), side()
    more = {"momentum_image": side(), "momentum_text": side()} if momentum else {}
    return StepInputs(image, text, slice(0, rows), **more)


@pytest.mark.parametrize("views", [2, 3, 4])
def test_each_pair_aims_at_the_pairs_that_share_no_view_with_it(views):
    image, text = F.normalize(torch.randn(2, views, 5, 4, dtype=torch.float64), dim=-1)
    scale, losses = torch.tensor(7.0, dtype=torch.float64), []
    for rows, columns in ((image, text), (text, image)):
        for a, b in product(range(views), repeat=2):
            others = [(c, d) for c, d in product(range(views), repeat=2) if c != a and d != b]
            target = torch.stack([sinkhorn(rows[c] @ columns[d].T, 4, 0.1) for c, d in others]).mean(0)
            losses.append(F.cross_entropy(scale * rows[a] @ columns[b].T, target))
    loss = swapped_assignment(image, text, scale, iterations=4, epsilon=0.1)
    torch.testing.assert_close(loss, torch.stack(losses).mean())


def test_assignments_are_of_all_rows_and_have_no_gradient():
    image, text = F.normalize(torch.randn(2, 2, 6, 4, dtype=torch.float64), dim=-1)
    scale = torch.tensor(7.0, dtype=torch.float64, requires_grad=True)
    whole = swapped_assignment(image, text, scale)
    halves = [swapped_assignment(image, text, scale, own) for own in (slice(0, 3), slice(3, 6))]
    torch.testing.assert_close(sum(halves) / 2, whole)
    image.requires_grad_()
    # A cross entropy is linear in the scale where its prediction is flat: only predictions have gradients.
    (gradient,) = torch.autograd.grad(swapped_assignment(image, text, scale * 0), image)
    assert gradient.abs().max() == 0


def test_it_reads_the_augmented_views_alone():
    inputs = _inputs(4)
    objective = SwALIPSpec(kind="swalip").build(Widths(4), None)
    objective(inputs).loss.backward()
    assert [view.embedding.grad is not None for view in inputs.image] == [False, True, True, False]
    needs = SwALIPSpec(kind="swalip", augmented_views=3, augmented_head="h").needs()
    assert (needs.image_views, needs.text_views, needs.heads) == (4, 4, {"h"})


def test_constant_columns_change_what_is_learned_and_not_the_value():
    image, text = F.normalize(torch.randn(2, 2, 5, 4), dim=-1)
    scale, found = torch.tensor(2.0), []
    for column_gradient in (True, False):
        rows = image.clone().requires_grad_()
        loss = swapped_assignment(rows, text, scale, column_gradient=column_gradient)
        found.append((loss, torch.autograd.grad(loss, rows)[0]))
    (loss, gradient), (same, by_rows) = found
    torch.testing.assert_close(loss, same)
    assert not torch.allclose(gradient, by_rows)


def test_its_scale_stays_in_bounds():
    objective = SwALIPSpec(kind="swalip").build(Widths(4), None)
    assert objective.log_scale.exp().item() == pytest.approx(10)
    torch.nn.init.constant_(objective.log_scale, 9.0)
    objective.after_step(_inputs(3))
    assert objective.log_scale.item() == pytest.approx(math.log(100))


@pytest.mark.parametrize("mistake", [{"augmented_views": 1}, {"label_smoothing": 0.1}])
def test_one_view_and_smoothed_labels_are_mistakes(mistake):
    with pytest.raises(ValidationError, match=next(iter(mistake))):
        SwALIPSpec(kind="swalip", **mistake)


def _v1(**settings):
    spec = SwALIPv1Spec(kind="swalip_v1", prototypes=7, **settings)
    return spec, spec.build(Widths(4, {"h": 4}), None)


@pytest.mark.parametrize("momentum", [False, True])
def test_v1_aims_at_the_other_sides_assignment(momentum):
    _, objective = _v1(momentum_targets=momentum, temperature=0.5)
    inputs = _inputs(1, momentum=momentum)
    directions = F.normalize(objective.layers["image"].directions.detach(), dim=-1)

    def scores(views):
        return F.normalize(views[0].embedding, dim=-1) @ directions.T

    image, text = scores(inputs.image), scores(inputs.text)
    teaching = (inputs.momentum_image, inputs.momentum_text) if momentum else (inputs.image, inputs.text)
    assigned = [sinkhorn(scores(views)) for views in teaching]
    expected = swapped_prototypes(image, text, *assigned, torch.tensor(2.0))
    by_hand = (F.cross_entropy(2 * image, assigned[1]) + F.cross_entropy(2 * text, assigned[0])) / 2
    torch.testing.assert_close(expected, by_hand)
    torch.testing.assert_close(objective(inputs).loss, expected)


def test_v1s_prototypes_stand_still_for_the_first_steps():
    _, objective = _v1(still_steps=2)
    inputs, learned = _inputs(1), []
    for _ in range(4):
        objective.zero_grad()
        objective(inputs).loss.backward()
        learned.append(objective.layers["image"].directions.grad is not None)
        objective.after_step(inputs)
    assert learned == [False, False, True, True]
    assert objective.updates == 4


def test_v1s_prototypes_go_on_standing_still_after_a_checkpoint():
    (_, first), (_, second) = _v1(still_steps=2), _v1(still_steps=2)
    for _ in range(2):
        first.after_step(_inputs(1))
    second.load_state_dict(first.state_dict())
    second(_inputs(1)).loss.backward()
    assert second.layers["image"].directions.grad is not None


def test_v1s_sides_have_prototypes_of_their_own_on_request():
    assert sorted(_v1()[1].layers) == ["image"]
    _, objective = _v1(shared_prototypes=False, still_steps=0)
    objective(_inputs(1)).loss.backward()
    first, second = (objective.layers[side].directions for side in ("image", "text"))
    assert torch.equal(first, second)
    assert not torch.equal(first.grad, second.grad)


def test_v1s_temperature_learns_on_request_alone():
    assert "log_scale" in dict(_v1()[1].named_buffers())
    _, objective = _v1(learn_temperature=True)
    objective(_inputs(1)).loss.backward()
    assert objective.log_scale.grad != 0
    torch.nn.init.constant_(objective.log_scale, 9.0)
    objective.after_step(_inputs(1))
    assert objective.log_scale.item() == pytest.approx(math.log(100))


def test_v1_asks_for_momentum_on_request_alone():
    assert not _v1()[0].needs().momentum
    assert _v1(momentum_targets=True)[0].needs().momentum
    assert _v1(head="h")[0].needs().heads == {"h"}

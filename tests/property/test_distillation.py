"""What holds of the objectives with labels, teachers and relations for any features."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from protoclip_cli.core.types import Features, Frozen, Prototypes, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import OBJECTIVES
from protoclip_cli.objectives._both_ways import both_ways
from protoclip_cli.objectives._relations import angle_relations, distance_relations
from protoclip_cli.objectives.compress import compress_loss
from protoclip_cli.objectives.distill import distill
from protoclip_cli.objectives.info_nce import info_nce
from protoclip_cli.objectives.unicl import unicl

short = settings(max_examples=20, deadline=None)
any_size = {"rows": st.integers(2, 7), "width": st.integers(2, 6), "chance": st.integers(0, 1000)}


def _unit(rows, width, chance, count=2):
    generator = torch.Generator().manual_seed(chance)
    return F.normalize(torch.randn(count, rows, width, generator=generator, dtype=torch.float64), dim=-1)


def _scale(value=14.0):
    return torch.tensor(value, dtype=torch.float64)


@short
@given(**any_size)
def test_without_classes_unicl_is_info_nce(rows, width, chance):
    image, text = _unit(rows, width, chance)
    none = torch.full((rows,), -1)
    ours, theirs = (side.clone().requires_grad_() for side in (image, image))
    loss, accuracy = unicl(ours, text, none, _scale())
    wanted = info_nce(theirs, text, _scale())
    torch.testing.assert_close((loss, accuracy), wanted)
    loss.backward()
    wanted[0].backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@short
@given(**any_size)
def test_names_of_classes_and_the_order_of_rows_do_not_matter(rows, width, chance):
    image, text = _unit(rows, width, chance)
    labels = torch.arange(rows) % 3 - 1
    loss, _ = unicl(image, text, labels, _scale())
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(chance))
    renamed = torch.where(labels < 0, -1, 90 - labels)
    torch.testing.assert_close(unicl(image[order], text[order], renamed[order], _scale())[0], loss)


@short
@given(**any_size)
def test_rotating_moving_and_stretching_the_students_leaves_their_relations(rows, width, chance):
    student, teacher = _unit(rows, width, chance)
    rotation, _ = torch.linalg.qr(_unit(width, width, chance + 1, 1)[0])
    moved = 3 * student @ rotation + 0.5
    for relations in (distance_relations, angle_relations):
        torch.testing.assert_close(relations(moved, teacher), relations(student, teacher))
        assert relations(moved, student) < 1e-12


@short
@given(**any_size)
def test_a_student_that_ranks_as_its_teacher_has_the_least_distillation(rows, width, chance):
    image, text = _unit(rows, width, chance)
    teacher = both_ways(image, text, _scale())
    student = tuple(logits.clone().requires_grad_() for logits in teacher)
    distill(student, teacher)[1].backward()
    assert all(logits.grad.abs().max() < 1e-12 for logits in student)


@short
@given(**any_size)
def test_a_student_like_its_teacher_loses_nothing_over_any_queue(rows, width, chance):
    student, queue = _unit(rows, width, chance)
    assert compress_loss(student, student, queue, queue, 0.04).abs() < 1e-12
    other = student.flip(0)
    assert compress_loss(student, other, queue, queue, 0.04) > -1e-12


@pytest.mark.parametrize("own", [slice(None), slice(1, 3)])
@pytest.mark.parametrize("relations", [distance_relations, angle_relations])
def test_the_gradient_of_relations_is_their_derivative(relations, own):
    student, teacher = (side.requires_grad_() for side in _unit(4, 3, 0).unbind())
    assert torch.autograd.gradcheck(lambda *sides: relations(*sides, own), (student, teacher))


@pytest.mark.parametrize("own", [slice(None), slice(1, 3)])
def test_the_gradient_of_unicl_is_its_derivative(own):
    image, text = (side.requires_grad_() for side in _unit(4, 3, 0).unbind())
    labels = torch.tensor([2, -1, 2, 0])
    assert torch.autograd.gradcheck(
        lambda a, b, scale: unicl(a, b, labels, scale, own)[0], (image, text, _scale(3.0).requires_grad_())
    )


ALONE = {
    "unicl": {},
    "cross_entropy": {"head": "classes"},
    "sim_reg": {},
    "mse": {},
    "rkd": {},
    "compress": {"queue": 5},
    "seed": {"queue": 5},
    "distill": {},
    "prototype_relations": {"head": None},
}


@pytest.mark.parametrize("kind", ALONE)
@pytest.mark.parametrize("label", [-1, 2])
def test_one_row_has_a_finite_loss_and_gradient(kind, label):
    image, text = (torch.randn(1, 4, requires_grad=True) for _ in range(2))
    board = Prototypes(torch.randn(3, 4), torch.tensor([1]), torch.randn(3, 4))
    objective = OBJECTIVES.spec(kind)(kind=kind, **ALONE[kind]).build(Widths(4, {"classes": 4}, 4, 4), None)
    inputs = StepInputs(
        (Features(image, {"classes": image}),),
        (Features(text, {"classes": text}),),
        slice(0, 1),
        labels=torch.tensor([label]),
        frozen=Frozen(torch.randn(1, 4), torch.randn(1, 4), torch.tensor(9.0)),
        prototypes={"teacher": board},
    )
    loss = objective(inputs).loss
    loss.backward()
    assert loss.isfinite()
    assert image.grad.isfinite().all()
    objective.after_step(StepInputs((Features(image.detach()),), (Features(text.detach()),), slice(0, 1)))

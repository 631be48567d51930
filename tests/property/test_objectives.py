"""What holds for any features."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives._prediction import prediction_loss
from protoclip_cli.objectives.barlip import correlation_loss
from protoclip_cli.objectives.info_nce import info_nce
from protoclip_cli.objectives.local_contrast import LocalContrastSpec, views_contrast
from protoclip_cli.objectives.seed import seed_loss
from protoclip_cli.objectives.swalip import swapped_assignment

any_size = {"rows": st.integers(1, 9), "width": st.integers(2, 7), "chance": st.integers(0, 2**32)}
short = settings(max_examples=30, deadline=None, derandomize=True)


def _unit(rows, width, chance, count=2):
    generator = torch.Generator().manual_seed(chance)
    return F.normalize(torch.randn(count, rows, width, generator=generator, dtype=torch.float64), dim=-1)


def _scale(value=14.0):
    return torch.tensor(value, dtype=torch.float64)


def _learn(image, text):
    image, text = image.clone().requires_grad_(), text.clone().requires_grad_()
    loss, accuracy = info_nce(image, text, _scale())
    loss.backward()
    return loss.detach(), accuracy, image.grad, text.grad


@short
@given(**any_size)
def test_the_order_of_rows_changes_the_order_of_gradients_only(rows, width, chance):
    image, text = _unit(rows, width, chance)
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(chance))
    loss, accuracy, of_image, of_text = _learn(image, text)
    torch.testing.assert_close(
        _learn(image[order], text[order]), (loss, accuracy, of_image[order], of_text[order])
    )


@short
@given(**any_size)
def test_rotating_both_sides_changes_nothing(rows, width, chance):
    image, text = _unit(rows, width, chance)
    rotation, _ = torch.linalg.qr(_unit(width, width, chance + 1, 1)[0])
    loss, _ = info_nce(image, text, _scale())
    torch.testing.assert_close(info_nce(image @ rotation, text @ rotation, _scale())[0], loss)
    queue = _unit(5, width, chance + 2, 1)[0]
    seed = seed_loss(image, text, queue, 0.07, 0.1)
    torch.testing.assert_close(
        seed_loss(image @ rotation, text @ rotation, queue @ rotation, 0.07, 0.1), seed
    )


@short
@given(**any_size, scale=st.floats(0.1, 100))
def test_identical_features_lose_the_logarithm_of_their_number(rows, width, chance, scale):
    same = _unit(1, width, chance, 1)[0].expand(rows, -1)
    loss, _ = info_nce(same, same, _scale(scale))
    assert loss.item() == pytest.approx(math.log(rows), abs=1e-9)
    assert seed_loss(same, same, same, 0.07, 1.0).item() == pytest.approx(math.log(rows + 1), abs=1e-9)


@short
@given(**any_size, bias=st.floats(-20, 20))
def test_images_and_texts_may_be_exchanged_and_a_bias_changes_nothing(rows, width, chance, bias):
    image, text = _unit(rows, width, chance)
    loss, _ = info_nce(image, text, _scale())
    torch.testing.assert_close(info_nce(text, image, _scale())[0], loss)
    torch.testing.assert_close(info_nce(image, text, _scale(), bias=_scale(bias))[0], loss)


@short
@given(**any_size)
def test_the_order_of_the_queue_does_not_matter(rows, width, chance):
    student, teacher = _unit(rows, width, chance)
    queue = _unit(6, width, chance + 1, 1)[0]
    loss = seed_loss(student, teacher, queue, 0.07, 0.1)
    torch.testing.assert_close(seed_loss(student, teacher, queue.flip(0), 0.07, 0.1), loss)


@pytest.mark.parametrize("own", [slice(None), slice(1, 3)])
def test_the_gradient_of_info_nce_is_its_derivative(own):
    image, text = (side.requires_grad_() for side in _unit(4, 3, 0).unbind())
    scale = _scale(3.0).requires_grad_()
    assert torch.autograd.gradcheck(lambda *inputs: info_nce(*inputs, own)[0], (image, text, scale))


def test_the_gradient_of_seed_is_its_derivative():
    student, teacher = _unit(4, 3, 0).unbind()
    queue = _unit(5, 3, 1, 1)[0]
    assert torch.autograd.gradcheck(
        lambda rows: seed_loss(rows, teacher, queue, 0.5, 0.3), (student.requires_grad_(),)
    )


def _views(rows, width, chance, views=2):
    """Image and text views, each (A, B, P), unit length."""
    return _unit(rows, width, chance, 2 * views).unflatten(0, (2, views)).unbind()


def _contrast(image, text):
    return views_contrast(image, text, _scale(), smoothing=0.1)[0]


def _swap(image, text):
    return swapped_assignment(image, text, _scale())


def _swap_evenly(image, text):
    """With targets that do not depend on the features, for they have no gradient."""
    return swapped_assignment(image, text, _scale(), epsilon=1e9)


def _correlate(image, text):
    return correlation_loss(image, text, 0.1)[0]


of_views = pytest.mark.parametrize("loss", [_contrast, _swap, _correlate, prediction_loss])


@of_views
@short
@given(**any_size)
def test_the_order_of_rows_and_of_augmented_views_does_not_matter(loss, rows, width, chance):
    image, text = _views(rows, width, chance, 3)
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(chance))
    value = loss(image, text)
    torch.testing.assert_close(loss(image[:, order], text[:, order]), value)
    torch.testing.assert_close(loss(image[[0, 2, 1]], text), value)


@pytest.mark.parametrize("loss", [_contrast, _swap_evenly, _correlate, prediction_loss])
@pytest.mark.parametrize("rows", [2, 5])
def test_the_gradient_of_a_loss_of_views_is_its_derivative(loss, rows):
    image, text = (side.clone().requires_grad_() for side in _views(rows, 3, 0))
    assert torch.autograd.gradcheck(loss, (image, text))


@short
@given(**any_size)
def test_improved_clip_without_augmented_views_is_info_nce(rows, width, chance):
    sides = [side.squeeze(0) for side in _views(rows, width, chance, 1)]
    objective = (
        LocalContrastSpec(kind="local_contrast", augmented_views=0).build(Widths(width), None).double()
    )
    image, text = ((Features(3 * side),) for side in sides)
    loss = objective(StepInputs(image, text, slice(0, rows))).loss
    torch.testing.assert_close(loss, info_nce(*sides, objective.log_scale.detach().exp())[0])

"""SEED by hand."""

import math

import pytest
import torch

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.seed import SeedSpec, seed_loss


def _step(objective, image, text, own=None):
    inputs = StepInputs((Features(image),), (Features(text),), own=own or slice(0, len(image)))
    return inputs, objective(inputs)


def test_one_row_and_a_queue_of_one_by_hand():
    """Similarities (0.6, 0.8) of the student and (1, 0) of the teacher, at temperature 1."""
    student, teacher, queue = torch.tensor([[0.6, 0.8], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64).split(1)
    target = math.e / (math.e + 1)
    norm = math.log(math.exp(0.6) + math.exp(0.8))
    expected = target * (norm - 0.6) + (1 - target) * (norm - 0.8)
    assert seed_loss(student, teacher, queue, 1.0, 1.0).item() == pytest.approx(expected, rel=1e-12)


def test_no_gradient_reaches_the_teacher():
    objective = SeedSpec(kind="seed", queue=7).build(Widths(5), None)
    image, text = (torch.randn(4, 5, requires_grad=True) for _ in range(2))
    _step(objective, image, text)[1].loss.backward()
    assert text.grad is None
    assert image.grad.abs().sum() > 0


def test_a_student_like_its_teacher_loses_less():
    objective = SeedSpec(kind="seed", queue=50).build(Widths(5), None)
    teacher = torch.randn(4, 5)
    good, bad = (_step(objective, student, teacher)[1] for student in (teacher * 3, -teacher))
    assert good.loss < bad.loss
    assert good.metrics["agreement"].item() == pytest.approx(1)
    assert bad.metrics["agreement"].item() == pytest.approx(-1)


def test_the_queue_takes_unit_features_of_all_rows_after_the_step():
    objective = SeedSpec(kind="seed", queue=7).build(Widths(5), None)
    image, text = torch.randn(2, 4, 5)
    inputs, _ = _step(objective, image, text, own=slice(0, 2))
    assert objective.queue.position == 0
    objective.after_step(inputs)
    torch.testing.assert_close(objective.queue.rows[:4], torch.nn.functional.normalize(text, dim=-1))
    assert objective.queue.position == 4


def test_the_loss_compares_with_the_queue_before_the_step():
    objective = SeedSpec(kind="seed", queue=4).build(Widths(5), None)
    image, text = torch.randn(2, 4, 5)
    inputs, before = _step(objective, image, text)
    objective.after_step(inputs)
    assert objective(inputs).loss > before.loss + 0.1  # now the own teacher is in the queue, too


def test_it_asks_for_the_sides_it_reads():
    def towers(**settings):
        needs = SeedSpec(kind="seed", **settings).needs()
        return sorted(needs.towers), needs.teacher

    assert towers() == (["image", "text"], False)
    assert towers(student="text", teacher="bank") == (["text"], True)
    assert towers(teacher="bank") == (["image"], True)

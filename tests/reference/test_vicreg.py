"""VICReg against ITRA (itra/loss/VICReg.py), and what ITRA's unit length does to it."""

import pytest
import torch

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.vicreg import VICRegSpec


def _learn(student, teacher, **settings):
    student, teacher = student.clone().requires_grad_(), teacher.clone().requires_grad_()
    objective = VICRegSpec(kind="vicreg", **settings).build(Widths(student.shape[1]), None)
    outcome = objective(StepInputs((Features(student),), (Features(teacher),), own=slice(0, len(student))))
    outcome.loss.backward()
    return outcome, student.grad, teacher.grad


def test_its_form_equals_itras(golden, load, near):
    for path in golden("itra_vicreg*.npz"):
        g = load(path)
        outcome, of_student, of_teacher = _learn(g["in_student"], g["in_teacher"], form="itra")
        assert outcome.loss.item() == pytest.approx(g["out_loss"], rel=1e-8)
        near(of_student, g["grad_student"])
        near(of_teacher, g["grad_teacher"])


def test_by_default_rows_keep_their_length_and_can_spread(golden, load):
    """A unit vector's coordinates deviate by 1/sqrt(D) at most, so ITRA's variance term never rests."""
    for path in golden("itra_vicreg*.npz"):
        g = load(path)
        spread = 3 * g["in_student"]
        paper, itra = (_learn(spread, spread, form=form)[0] for form in ("paper", "itra"))
        assert paper.metrics["variance"] < 0.01
        assert itra.metrics["variance"] > 0.9 - spread.shape[1] ** -0.5
        assert _learn(g["in_student"], g["in_teacher"])[0].loss.item() != pytest.approx(
            g["out_loss"], rel=0.01
        )


def test_a_detached_teacher_does_not_learn():
    student, teacher = torch.randn(2, 6, 4)
    _, of_student, of_teacher = _learn(student, teacher, detach_teacher=True)
    assert of_student.abs().sum() > 0
    assert of_teacher is None

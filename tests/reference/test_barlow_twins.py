"""Barlow Twins against ITRA (itra/loss/BarlowTwins.py), on one process and on several."""

import pytest
import torch
import torch.nn.functional as F

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.barlow_twins import (
    BarlowTwinsSpec,
    barlow_loss,
    correlation,
    itra_correlation,
)


def _learn(student, teacher, **settings):
    student, teacher = student.clone().requires_grad_(), teacher.clone().requires_grad_()
    objective = BarlowTwinsSpec(kind="barlow_twins", **settings).build(Widths(student.shape[1]), None)
    outcome = objective(StepInputs((Features(student),), (Features(teacher),), own=slice(0, len(student))))
    outcome.loss.backward()
    return outcome.loss.item(), student.grad, teacher.grad


def test_its_form_equals_itras(golden, load, near):
    for path in golden("itra_barlow*.npz"):
        g = load(path)
        loss, of_student, of_teacher = _learn(g["in_student"], g["in_teacher"], form="itra")
        assert loss == pytest.approx(g["out_loss"], rel=1e-8)
        near(of_student, g["grad_student"])
        near(of_teacher, g["grad_teacher"])


def test_itra_hardly_sees_whether_its_sides_are_alike(golden, load):
    """Dividing by B twice bounds correlations by 1/B; ours are 1 for a side and itself."""
    for path in golden("itra_barlow*.npz"):
        g = load(path)
        student, teacher = g["in_student"], g["in_teacher"]
        columns = student.shape[1]
        assert itra_correlation(student, student).diagonal().max() <= 1 / len(student) + 1e-12
        alike, strangers = (_learn(student, side, form="itra")[0] for side in (student, teacher.flip(0)))
        assert alike > 0.7 * columns
        assert abs(alike - strangers) < 0.3 * columns
        torch.testing.assert_close(
            correlation(student, student).diagonal(), torch.ones(columns).double(), rtol=0, atol=1e-3
        )
        assert _learn(student, student)[0] < 0.1 * columns


def test_over_processes_itra_adds_up_what_each_made_of_its_own_rows(golden, load, near):
    """And learns from its own rows alone; ours correlates the rows of all processes (IT-3, IT-5)."""
    for path in golden("dist?_itra_barlow*.npz"):
        g = load(path)
        student, teacher = g["in_student"].requires_grad_(), g["in_teacher"].requires_grad_()
        theirs = sum(map(itra_correlation, student, teacher))
        loss = barlow_loss(theirs, 0.0051)
        loss.backward()
        near(loss.detach().expand(len(student)), g["out_loss"], 1e-8)
        near(student.grad, g["grad_student"])
        near(teacher.grad, g["grad_teacher"])
        ours, of_student, _ = _learn(
            student.detach().flatten(0, 1), teacher.detach().flatten(0, 1), form="itra"
        )
        assert ours != pytest.approx(loss.item(), rel=1e-3)
        together = F.cosine_similarity(of_student.flatten(), student.grad.flatten(), dim=0)
        assert together < 0.99


def test_the_scale_and_the_mean_of_columns_do_not_matter():
    student, teacher = torch.randn(2, 8, 4, dtype=torch.float64)
    factor, mean = torch.rand(4).double() + 0.5, torch.randn(4).double()
    torch.testing.assert_close(
        correlation(student * factor + mean, teacher), correlation(student, teacher), rtol=0, atol=1e-4
    )

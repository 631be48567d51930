"""RKD against ITRA (itra/loss/RKD.py)."""

import pytest

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import _relations
from protoclip_cli.objectives.rkd import RkdSpec


def _learn(g, **settings):
    student, teacher = (g[f"in_{side}"].clone().requires_grad_() for side in ("student", "teacher"))
    spec = RkdSpec(kind="rkd", distance=g["hp_w_distance"], angle=g["hp_w_angle"], **settings)
    objective = spec.build(Widths(student.shape[1]), None)
    loss = objective(StepInputs((Features(student),), (Features(teacher),), slice(0, len(student)))).loss
    loss.backward()
    assert loss.item() == pytest.approx(g["out_loss"], rel=1e-7)
    return student.grad, teacher.grad


@pytest.mark.parametrize("block", [1, 1 << 23])
def test_it_equals_itra_in_blocks_of_any_size(golden, load, near, monkeypatch, block):
    monkeypatch.setattr(_relations, "_BLOCK", block)
    for path in golden("itra_rkd*.npz", without="itra_rkd_duplicates*"):
        g = load(path)
        student, teacher = _learn(g)
        near(student, g["grad_student"])
        assert teacher is None  # IT-2: there a trainable teacher is pulled to the student
        student, teacher = _learn(g, detach_teacher=False)
        near(student, g["grad_student"])
        near(teacher, g["grad_teacher"])


def test_duplicates_have_itras_huge_gradient_by_a_switch_alone(golden, load, near):
    for path in golden("itra_rkd_duplicates*.npz"):
        g = load(path)
        assert g["grad_student"].abs().max() > 1e8
        near(_learn(g, steep_duplicates=True)[0], g["grad_student"])
        assert _learn(g)[0].abs().max() < 1

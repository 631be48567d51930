"""SimReg and ProtoRKD's squared error against ITRA (itra/loss/SimReg.py; history, distiller/ProtoRKD.py)."""

import pytest

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.mse import MseSpec
from protoclip_cli.objectives.sim_reg import SimRegSpec


@pytest.fixture
def check(load, near):
    def compare(path, spec, factor=1):
        g = load(path)
        for detach in (False, True):
            student, teacher = (g[f"in_{side}"].clone().requires_grad_() for side in ("student", "teacher"))
            objective = spec.model_copy(update={"detach_teacher": detach}).build(
                Widths(student.shape[1]), None
            )
            loss = objective(
                StepInputs((Features(student),), (Features(teacher),), slice(0, len(student)))
            ).loss
            loss.backward()
            assert loss.item() == pytest.approx(factor * g["out_loss"], rel=1e-8)
            near(student.grad, factor * g["grad_student"])
            if detach:
                assert teacher.grad is None  # IT-2: there a trainable teacher is pulled to the student
            elif "grad_teacher" in g:
                near(teacher.grad, factor * g["grad_teacher"])

    return compare


@pytest.mark.parametrize(("norm", "name"), [("l2", "l2"), ("l1", "l1"), ("smooth_l1", "smoothl1")])
def test_it_equals_itra(golden, check, load, norm, name):
    for path in golden("itra_simreg*.npz"):
        if f"_{name}_" in path.name:
            check(path, SimRegSpec(kind="sim_reg", norm=norm, times_width=False))
            width = load(path)["in_student"].shape[1]
            check(path, SimRegSpec(kind="sim_reg", norm=norm), factor=width)  # IT-7: a mean over the width


def test_squared_errors_equal_protorkds(golden, check):
    for path in golden("itra_protorkd_mse*.npz"):
        check(path, MseSpec(kind="mse"))

"""UniCL against ITRA (itra/loss/UniCL.py), whose teacher is the text; features of any length."""

import pytest
import torch

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.info_nce import InfoNCESpec
from protoclip_cli.objectives.unicl import UniCLSpec


def _learn(spec, g, labels):
    """Loss and gradients, as ITRA is given the scale: learned, and multiplied."""
    image, text = (g[name].clone().requires_grad_() for name in ("in_student", "in_teacher"))
    objective = spec.build(Widths(image.shape[1]), None).double()
    torch.nn.init.constant_(objective.log_scale, torch.tensor(g["hp_logit_scale"]).log().item())
    inputs = StepInputs((Features(image),), (Features(text),), slice(0, len(image)), labels=labels)
    loss = objective(inputs).loss
    loss.backward()
    return loss, image.grad, text.grad, objective.log_scale.grad / g["hp_logit_scale"]


@pytest.fixture
def check(near):
    def compare(g, found):
        assert found[0].item() == pytest.approx(g["out_loss"], rel=1e-6)
        for ours, name in zip(found[1:], ("student", "teacher", "logit_scale"), strict=True):
            near(ours, g[f"grad_{name}"])

    return compare


def test_it_equals_itra(golden, load, check):
    for path in golden("itra_unicl*.npz"):
        g = load(path)
        check(g, _learn(UniCLSpec(kind="unicl"), g, g["in_labels"]))


def test_info_nce_equals_itra_and_so_does_unicl_without_classes(golden, load, check):
    for path in golden("itra_infonce*.npz"):
        g = load(path)
        check(g, _learn(InfoNCESpec(kind="info_nce"), g, None))
        check(g, _learn(UniCLSpec(kind="unicl"), g, torch.full((len(g["in_student"]),), -1)))


def test_at_scale_100_in_float32_itras_logarithm_is_infinite_and_ours_is_not(golden, load):
    """IT-4: the logarithm of a softmax."""
    for path in golden("itra_unicl_labels*.npz"):
        g = load(path)
        image, text = (
            torch.nn.functional.normalize(g[f"in_{side}"].float()) for side in ("student", "teacher")
        )
        assert (100 * image @ text.T).softmax(dim=-1).log().min() == -torch.inf
        objective = UniCLSpec(kind="unicl", temperature=0.01).build(Widths(image.shape[1]), None)
        inputs = StepInputs(
            (Features(image),), (Features(text),), slice(0, len(image)), labels=g["in_labels"]
        )
        assert objective(inputs).loss.isfinite()


def test_itra_never_bounds_its_scale_and_ours_is_bounded_after_a_step():
    """IT-7."""
    objective = UniCLSpec(kind="unicl").build(Widths(3), torch.tensor(7.0))
    rows = torch.eye(3)
    inputs = StepInputs((Features(rows),), (Features(rows),), slice(0, 3), labels=torch.arange(3))
    objective.after_step(inputs)
    assert objective.log_scale.exp().item() == pytest.approx(100)

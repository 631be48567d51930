"""Cross entropy against ITRA (itra/loss/UniCL.py, CrossEntropy): the mean over both sides' logits."""

import pytest

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.cross_entropy import CrossEntropySpec


def test_it_equals_itra(golden, load, near):
    for path in golden("itra_crossentropy*.npz"):
        g = load(path)
        image, text = (g[f"in_{side}"].requires_grad_() for side in ("student", "teacher"))
        classes = image.shape[1]
        spec = CrossEntropySpec(kind="cross_entropy", head="classes")
        objective = spec.build(Widths(3, {"classes": classes}, classes=classes), None)
        sides = (Features(rows[:, :3], {"classes": rows}) for rows in (image, text))
        inputs = StepInputs(*((side,) for side in sides), slice(0, len(image)), labels=g["in_labels"])
        loss = objective(inputs).loss
        loss.backward()
        assert loss.item() == pytest.approx(g["out_loss"], rel=1e-8)
        near(image.grad, g["grad_student"])
        near(text.grad, g["grad_teacher"])

"""SEED against ITRA (itra/loss/SEED.py), three steps in a row. Its queue lies across ours: (D, Q)."""

import pytest
import torch

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.seed import SeedSpec


def test_three_steps_equal_itra(golden, load, near):
    for path in golden("itra_seed*.npz"):
        g = load(path)
        spec = SeedSpec(
            kind="seed",
            queue=g["hp_queue_size"],
            student_temperature=g["hp_student_temperature"],
            teacher_temperature=g["hp_teacher_temperature"],
        )
        objective = spec.build(Widths(g["in_student"].shape[-1]), None).double()
        objective.queue.rows.copy_(g["state0_queue"].T)
        for step, (student, teacher) in enumerate(zip(g["in_student"], g["in_teacher"], strict=True)):
            student.requires_grad_()
            inputs = StepInputs((Features(student),), (Features(teacher),), own=slice(0, len(student)))
            loss = objective(inputs).loss
            loss.backward()
            objective.after_step(inputs)
            assert loss.item() == pytest.approx(g["out_loss"][step].item(), rel=1e-8)
            near(student.grad, g["grad_student"][step])
            assert objective.queue.position == g["state_pointer"][step]
        torch.testing.assert_close(objective.queue.rows.T, g["state_queue_last"], rtol=1e-6, atol=1e-7)

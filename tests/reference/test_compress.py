"""CompRess against ITRA (itra/loss/CompRess.py) with one queue and with two, three steps in a row."""

import pytest
import torch

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.compress import CompressSpec


def _three_steps(g, near, queues):
    spec = CompressSpec(
        kind="compress", queues=queues, queue=g["hp_queue_size"], temperature=g["hp_temperature"]
    )
    objective = spec.build(Widths(g["in_student"].shape[-1]), None).double()
    objective.teacher_queue.rows.copy_(g["state0_teacher_queue"])
    if queues == 2:
        objective.student_queue.rows.copy_(g["state0_student_queue"])
    for step, (student, teacher) in enumerate(zip(g["in_student"], g["in_teacher"], strict=True)):
        student.requires_grad_()
        inputs = StepInputs((Features(student),), (Features(teacher),), own=slice(0, len(student)))
        loss = objective(inputs).loss
        loss.backward()
        objective.after_step(StepInputs((Features(student.detach()),), inputs.text, inputs.own))
        assert loss.item() == pytest.approx(g["out_loss"][step].item(), rel=1e-7)
        near(student.grad, g["grad_student"][step])
        assert objective.teacher_queue.position == g["state_pointer"][step]
    return objective


def test_one_queue_equals_itra(golden, load, near):
    for path in golden("itra_compress_1q*.npz"):
        g = load(path)
        assert g["hp_queue_size"] % g["in_student"].shape[1]  # it wraps within a batch
        objective = _three_steps(g, near, 1)
        near(objective.teacher_queue.rows, g["state_teacher_queue_last"])


def test_two_queues_equal_itra(golden, load, near):
    for path in golden("itra_compress_2q*.npz"):
        g = load(path)
        objective = _three_steps(g, near, 2)
        near(objective.teacher_queue.rows, g["state_teacher_queue_last"])
        near(objective.student_queue.rows, g["state_student_queue_last"])


def test_the_queues_start_as_theirs(golden, load):
    """Uniform entries of variance 1/d, so that rows have unit length on average only."""
    for path in golden("itra_compress_2q*.npz"):
        theirs = load(path)["state0_teacher_queue"]
        width = theirs.shape[1]
        ours = CompressSpec(kind="compress", queues=2, queue=4096).build(Widths(width), None)
        bound = (3 / width) ** 0.5
        for rows in (theirs, ours.teacher_queue.rows, ours.student_queue.rows):
            assert 0.95 * bound < rows.abs().max() <= bound
        assert not torch.equal(ours.teacher_queue.rows, ours.student_queue.rows)
        assert ours.teacher_queue.rows.square().sum(dim=-1).mean().item() == pytest.approx(1, abs=0.02)

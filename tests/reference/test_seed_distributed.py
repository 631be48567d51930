"""SEED on two processes against ITRA (itra/loss/SEED.py): the keys of all enter the queue of each."""

import pytest
import torch

from protoclip_cli.compute.processes import collect, rank
from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.seed import SeedSpec


def _step(student, teacher, queue):
    """Loss, gradient before any averaging, queue and its position on this process."""
    student = student[rank()].requires_grad_()
    spec = SeedSpec(kind="seed", queue=len(queue), teacher_temperature=0.05)
    objective = spec.build(Widths(student.shape[1]), None).double()
    objective.queue.rows.copy_(queue)
    own = slice(rank() * len(student), (rank() + 1) * len(student))
    inputs = StepInputs((Features(collect(student)),), (Features(collect(teacher[rank()])),), own)
    loss = objective(inputs).loss
    loss.backward()
    objective.after_step(inputs)
    return loss.detach(), student.grad, objective.queue.rows, objective.queue.position


def test_it_equals_itra(golden, load, near, on_processes):
    for path in golden("dist2_itra_seed*.npz"):
        g = load(path)
        queue = g["state_queue_before"][0].T.contiguous()
        assert torch.equal(g["state_queue_before"][1].T, queue)
        results = on_processes(g["hp_world_size"], _step, g["in_student"], g["in_teacher"], queue)
        for place, (loss, gradient, rows, position) in enumerate(results):
            assert loss.item() == pytest.approx(g["out_loss"][place].item(), rel=1e-7)
            near(gradient, g["grad_student"][place])
            near(rows.T, g["state_queue_after"][place])
            assert position == g["state_pointer"][place]

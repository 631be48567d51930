"""DINO and ProtoCPC against ITRA (itra/loss), and DINO under the name of ProtoRKD in its history.

The goldens are of scores of any size, and our objectives make cosines of features. Features of length R whose
first coordinates are the scores, against directions along the axes, have the scores over R as cosines; with
temperatures over R, losses and gradients are the same, and a centre is R times as large.
"""

import pytest
import torch

from protoclip_cli.compute.processes import collect, rank
from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import OBJECTIVES

R = 50.0


def _objective(kind, prototypes, student_temperature, teacher_temperature, **settings):
    spec = OBJECTIVES.spec(kind)(
        kind=kind,
        prototypes=prototypes,
        student_temperature=student_temperature / R,
        teacher_temperature=teacher_temperature / R,
        **settings,
    )
    objective = spec.build(Widths(prototypes + 1), None).double()
    with torch.no_grad():
        objective.layer.directions.copy_(torch.eye(prototypes, prototypes + 1))
    return objective


def _features(scores):
    return torch.cat([scores, (R**2 - scores.square().sum(dim=-1, keepdim=True)).sqrt()], dim=-1)


def _step(objective, student, teacher):
    """One step on this process's rows: loss, gradient of the student's scores."""
    student = student.clone().requires_grad_()
    own = slice(rank() * len(student), (rank() + 1) * len(student))
    sides = ((Features(collect(_features(scores))),) for scores in (student, teacher))
    inputs = StepInputs(*sides, own=own)
    loss = objective(inputs).loss
    loss.backward()
    objective.after_step(inputs)
    return loss.detach(), student.grad


def _three_steps(g, objective, near, state):
    steps = zip(g["in_student_scores"], g["in_teacher_scores"], strict=True)
    for step, (student, teacher) in enumerate(steps):
        loss, gradient = _step(objective, student, teacher)
        assert loss.item() == pytest.approx(g["out_loss"][step].item(), rel=1e-8)
        near(gradient, g["grad_student_scores"][step])
        near(state(objective), g[next(n for n in g if n.startswith("state_"))][step, 0])


def _centre(objective):
    return objective.centre * R


def _prior(objective):
    return objective.prior


def _dino_of(g):
    return _objective(
        "dino",
        g["in_student_scores"].shape[-1],
        g["hp_student_temperature"],
        g["hp_teacher_temperature"],
        momentum=g["hp_center_momentum"],
    )


def test_three_steps_of_dino(golden, load, near):
    for path in golden("itra_dino_*.npz"):
        g = load(path)
        _three_steps(g, _dino_of(g), near, _centre)


def test_the_history_of_protorkd_is_dino(golden, load, near):
    for path in golden("itra_protorkd_hist*.npz"):
        g = load(path)
        _three_steps(g, _dino_of(g), near, _centre)


def test_three_steps_of_protocpc(golden, load, near):
    for path in golden("itra_protocpc*.npz"):
        g = load(path)
        objective = _objective(
            "proto_cpc",
            g["in_student_scores"].shape[-1],
            g["hp_student_temperature"],
            g["hp_teacher_temperature"],
            momentum=g["hp_prior_momentum"],
            assignment="sinkhorn" if "_sk_" in path.name else "softmax",
        )
        _three_steps(g, objective, near, _prior)


def _on_a_rank(kind, student, teacher):
    objective = _objective(kind, student.shape[-1], 0.1, 0.04)
    loss, gradient = _step(objective, student[rank()], teacher[rank()])
    return loss, gradient, (_centre if kind == "dino" else _prior)(objective)


def _on_processes(g, kind, on_processes, near, state):
    results = on_processes(
        g["hp_world_size"], _on_a_rank, kind, g["in_student_scores"], g["in_teacher_scores"]
    )
    loss, gradient, moved = (torch.stack(parts) for parts in zip(*results, strict=True))
    near(loss, g["out_loss"], 1e-8)
    near(gradient, g["grad_student_scores"])
    near(moved, g[state].squeeze(1))


def test_dino_over_processes(golden, load, near, on_processes):
    for path in golden("dist?_itra_dino*.npz"):
        _on_processes(load(path), "dino", on_processes, near, "state_center")


def test_protocpc_over_processes(golden, load, near, on_processes):
    for path in golden("dist?_itra_protocpc*.npz"):
        _on_processes(load(path), "proto_cpc", on_processes, near, "state_prior")


@pytest.mark.parametrize("kind", ["dino", "proto_cpc"])
def test_one_process_is_enough_and_state_is_in_the_checkpoint(kind):
    """ITRA's need a process group, and lose their centre or prior with the process."""
    objective = _objective(kind, 5, 0.1, 0.04)
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    _step(objective, *torch.randn(2, 4, 5, dtype=torch.float64))
    after = objective.state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed == {"centre" if kind == "dino" else "prior"}


@pytest.mark.parametrize("kind", ["dino", "proto_cpc"])
def test_the_teacher_is_read_as_it_is(kind):
    """ITRA's teacher goes through a head that is frozen as it started, by chance (IT-9)."""
    assert OBJECTIVES.spec(kind)(kind=kind, head="student").needs().heads == {"student"}


@pytest.mark.parametrize("kind", ["dino", "proto_cpc"])
def test_neither_a_teacher_nor_its_prototypes_learn(kind):
    """ITRA's teaching tower learns (IT-2); ours does where a recipe says so."""
    for detach in (True, False):
        objective = _objective(kind, 5, 0.1, 0.04, detach_teacher=detach)
        student, teacher = torch.randn(2, 4, 6, dtype=torch.float64).requires_grad_()
        sides = (Features(student.detach()),), (Features(teacher),)
        (gradient,) = torch.autograd.grad(
            objective(StepInputs(*sides, own=slice(0, 4))).loss,
            [objective.layer.directions] if detach else [teacher],
        )
        assert gradient.abs().sum() > 0
        target = objective.teacher_logits(teacher, objective.prototypes())
        assert torch.autograd.grad(target.sum(), objective.layer.directions, allow_unused=True) == (None,)
        assert objective.teacher_rows(StepInputs(*sides, own=slice(0, 4))).requires_grad is not detach


def test_a_prototype_that_is_never_taken_keeps_a_logarithm():
    """ITRA's has none after some 900 steps in float32: its share is 0.9 to their number."""
    objective = _objective("proto_cpc", 3, 0.1, 0.001, momentum=0).float()
    student, teacher = torch.randn(4, 3), torch.tensor([[9.0, 9, -9]]).expand(4, -1)
    _step(objective, student, teacher)
    assert objective.prior.tolist() == pytest.approx([1.5, 1.5, 1e-12])
    loss, gradient = _step(objective, student, teacher)
    assert loss.isfinite()
    assert gradient.isfinite().all()

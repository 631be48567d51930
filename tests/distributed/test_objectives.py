"""Several processes learn exactly what one learns from the whole batch."""

import pytest
import torch
from torch import nn

from protoclip_cli.compute.processes import collect, mean_gradients, mean_over_processes, rank, world
from protoclip_cli.core.types import Features, Prototypes, StepInputs
from protoclip_cli.objectives import OBJECTIVES

pytestmark = pytest.mark.parametrize("size", [2, 3])

SPECS = {
    "info_nce": {"kind": "info_nce"},
    "seed": {"kind": "seed", "queue": 20, "teacher_temperature": 0.05},
    "hard prototypes": {"kind": "prototype_contrast", "student": "image", "source": "text"},
    "soft prototypes": {
        **{"kind": "prototype_contrast", "student": "text", "source": "image"},
        "target_temperature": 0.1,
    },
    "seed from a bank": {"kind": "seed", "queue": 7, "teacher": "bank", "student": "text"},
}
ROWS, WIDTH = 12, 5


def _two_steps(name):
    """Two steps on this process's share of a batch all processes know."""
    chance = torch.Generator().manual_seed(1)
    image, text, bank = torch.randn(3, ROWS, WIDTH, generator=chance, dtype=torch.float64)
    torch.manual_seed(2)
    towers = nn.ModuleList([nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)]).double()
    spec = OBJECTIVES.spec(SPECS[name]["kind"]).model_validate(SPECS[name])
    objective = spec.build(WIDTH, None).double()
    parameters = [*towers.parameters(), *objective.parameters()]
    share = slice(rank() * ROWS // world(), (rank() + 1) * ROWS // world())
    results = []
    for _ in range(2):
        embeddings = [collect(t(rows[share])) for t, rows in zip(towers, (image, text), strict=True)]
        sides = [(Features(e, {"proto": e.flip(1)}),) for e in embeddings]
        labels = collect((torch.arange(ROWS) % 3)[share])
        board = Prototypes(bank[:3], labels, text[:3])
        boards = dict.fromkeys(("image<-text", "text<-image"), board)
        inputs = StepInputs(sides[0], sides[1], share, teacher=collect(bank[share]), prototypes=boards)
        for parameter in parameters:
            parameter.grad = None
        loss = objective(inputs).loss
        loss.backward()
        mean_gradients(parameters)
        objective.after_step(inputs)
        gradients = [None if p.grad is None else p.grad.clone() for p in parameters]
        results.append((mean_over_processes(loss.detach()), gradients))
    return results, {key: value.clone() for key, value in objective.state_dict().items()}


@pytest.mark.parametrize("name", SPECS)
def test_loss_gradients_and_state_equal_one_process(on_processes, size, name):
    one = _two_steps(name)
    assert sum(gradient is not None for gradient in one[0][0][1]) >= 2
    for several in on_processes(size, _two_steps, name):
        torch.testing.assert_close(several, one, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", SPECS)
def test_state_is_the_same_on_all_processes_to_the_last_bit(on_processes, size, name):
    (_, first), *others = on_processes(size, _two_steps, name)
    for _, state in others:
        torch.testing.assert_close(state, first, rtol=0, atol=0)

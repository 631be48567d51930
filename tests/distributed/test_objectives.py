"""Several processes learn exactly what one learns from the whole batch."""

from collections import defaultdict
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from protoclip_cli.compute.processes import collect, mean_gradients, mean_over_processes, rank, world
from protoclip_cli.core.types import Features, Frozen, NextTokens, Prototypes, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import OBJECTIVES

pytestmark = pytest.mark.parametrize("size", [2, 3])

SETTINGS = Path(__file__).parents[1] / "contract" / "objectives"
SPECS = {
    f"{kind} {place}": {"kind": kind} | settings
    for kind in OBJECTIVES.kinds()
    for file in [SETTINGS / f"{kind}.yaml"]
    for place, settings in enumerate(yaml.safe_load(file.read_text()) if file.exists() else [{}])
}
ROWS, WIDTH = 12, 5
WIDTHS = Widths(WIDTH, defaultdict(lambda: WIDTH), WIDTH, WIDTH)
CLASSES = 3


def _views(needs, embedding, count):
    """Several views of a side, each with the heads that are asked for."""
    return tuple(
        Features(view, {head: view.flip(1) for head in sorted(needs.heads)})
        for view in (embedding * (1 + number) - number for number in range(count))
    )


def _detached(views, factor):
    return tuple(
        Features(
            f.embedding.detach() * factor, {name: rows.detach() * factor for name, rows in f.heads.items()}
        )
        for f in views
    )


def _inputs(needs, image, text, tokens, bank, share):
    """What the needs name, for embeddings of all rows."""
    labels = torch.arange(ROWS) % CLASSES
    image_views = _views(needs, image, needs.image_views)
    text_views = _views(needs, text, needs.text_views)
    targets = torch.arange(ROWS * 2).reshape(ROWS, 2) % WIDTH
    targets[::3] = -100
    return StepInputs(
        image_views,
        text_views,
        share,
        teacher=collect(bank[share]),
        prototypes=dict.fromkeys(
            needs.prototypes, Prototypes(bank[:CLASSES], labels, text[:CLASSES].detach())
        ),
        labels=labels - 1,
        momentum_image=_detached(image_views, 1.0) if needs.momentum else (),
        momentum_text=_detached(text_views, 0.9) if needs.momentum else (),
        frozen=Frozen(bank.flip(0), bank.flip(1), torch.tensor(5.0, dtype=bank.dtype)),
        next_tokens=NextTokens(
            tokens[:, None].expand(-1, 2, -1), targets[share], (targets >= 0).sum().double() / world()
        ),
    )


def _two_steps(name):
    """Two steps on this process's share of a batch all processes know."""
    chance = torch.Generator().manual_seed(1)
    image, text, bank = torch.randn(3, ROWS, WIDTH, generator=chance, dtype=torch.float64)
    torch.manual_seed(2)
    towers = nn.ModuleList([nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)]).double()
    spec = OBJECTIVES.spec(SPECS[name]["kind"]).model_validate(SPECS[name])
    objective = spec.build(WIDTHS, None).double()
    parameters = [*towers.parameters(), *objective.parameters()]
    share = slice(rank() * ROWS // world(), (rank() + 1) * ROWS // world())
    results = []
    for _ in range(2):
        embeddings = [collect(t(rows[share])) for t, rows in zip(towers, (image, text), strict=True)]
        inputs = _inputs(spec.needs(), *embeddings, towers[1](text[share]), bank, share)
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

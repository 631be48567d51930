"""What holds for the losses of self-supervision on any features."""

import pytest
import torch
import torch.nn.functional as F

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import OBJECTIVES
from protoclip_cli.objectives.barlow_twins import barlow_loss, correlation, itra_correlation
from protoclip_cli.objectives.captioning import captioning_loss
from protoclip_cli.objectives.dino import dino_loss
from protoclip_cli.objectives.proto_cpc import proto_cpc_loss
from protoclip_cli.objectives.siglip import siglip_loss
from protoclip_cli.objectives.vicreg import spread_terms

ROWS, WIDTH = 5, 3
SETTINGS = {
    "dino": {"prototypes": 7},
    "proto_cpc": {"prototypes": 7, "assignment": "sinkhorn"},
    "vicreg": {},
    "barlow_twins": {},
    "simcse": {},
    "siglip": {"chunk": 2},
}


def _some(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


TARGET = _some(ROWS, WIDTH, seed=1)
LOSSES = {
    "dino": lambda rows: dino_loss(rows, TARGET, TARGET[0]),
    "proto_cpc": lambda rows: proto_cpc_loss(rows, TARGET.softmax(1), TARGET[0].exp()),
    "vicreg": lambda rows: sum(spread_terms(0.1 * rows)),
    "barlow": lambda rows: barlow_loss(correlation(rows, TARGET), 0.1),
    "barlow of itra": lambda rows: barlow_loss(itra_correlation(rows, TARGET), 0.1),
    "siglip": lambda rows: siglip_loss(rows, TARGET, TARGET[0, 0], TARGET[0, 1], slice(1, 4))[0],
    "siglip in chunks": lambda rows: siglip_loss(TARGET, rows, TARGET[0, 0], TARGET[0, 1], chunk=2)[0],
    "captioning": lambda rows: captioning_loss(
        rows[None], torch.tensor([[0, 2, -100, 1, 1]]), torch.tensor(4)
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_its_gradient_is_its_derivative(name):
    assert torch.autograd.gradcheck(LOSSES[name], (_some(ROWS, WIDTH).requires_grad_(),))


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_order_of_rows_changes_the_order_of_gradients_only(kind):
    def learn(order):
        views = [side[order].requires_grad_() for side in _some(3, ROWS, WIDTH)]
        objective = OBJECTIVES.spec(kind)(kind=kind, **SETTINGS[kind]).build(Widths(WIDTH), None).double()
        inputs = StepInputs(
            (Features(views[0]),), (Features(views[1]), Features(views[2])), own=slice(0, ROWS)
        )
        loss = objective(inputs).loss
        loss.backward()
        objective.after_step(inputs)
        back = torch.as_tensor(order).argsort()
        return (
            loss.detach(),
            [view.grad[back] for view in views if view.grad is not None],
            list(objective.buffers()),
        )

    torch.testing.assert_close(learn([3, 1, 4, 0, 2]), learn([0, 1, 2, 3, 4]))


def test_features_that_are_spread_and_uncorrelated_lose_nothing_to_vicreg_and_barlow_twins():
    rows = torch.linalg.qr(_some(50, 4) - _some(50, 4).mean(dim=0))[0] * 50**0.5
    assert torch.stack(spread_terms(rows)).max() < 1e-20
    assert barlow_loss(correlation(rows, rows), 1.0) < 1e-8


def test_siglip_learns_what_binary_cross_entropy_of_all_pairs_learns():
    image, text = _some(2, ROWS, WIDTH)
    scale, bias = _some(2, seed=2)
    pairs = F.binary_cross_entropy_with_logits(
        scale * image @ text.T + bias, torch.eye(ROWS).double(), reduction="sum"
    )
    torch.testing.assert_close(siglip_loss(image, text, scale, bias)[0], pairs / ROWS)

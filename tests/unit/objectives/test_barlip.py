"""BarLIP by hand."""

import pytest
import torch

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives.barlip import BarLIPSpec, correlation_loss


def _plain(image, text, off_diagonal):
    losses = []
    for u in image:
        for v in text:
            c = u.T @ v / len(u)
            weights = torch.full_like(c, off_diagonal).fill_diagonal_(1)
            losses.append((weights * (c - torch.eye(len(c), dtype=c.dtype)).square()).sum())
    return torch.stack(losses).mean()


@pytest.mark.parametrize("rows", [3, 40], ids=["by rows", "by columns"])
@pytest.mark.parametrize("views", [1, 3])
def test_both_ways_are_the_plain_formula(rows, views):
    def learn(loss):
        image, text = (
            torch.randn(views, rows, 6, dtype=torch.float64, generator=chance).requires_grad_()
            for chance in map(torch.Generator().manual_seed, (1, 2))
        )
        value = loss(image, text, 0.1)
        value.backward()
        return value.detach(), image.grad, text.grad

    torch.testing.assert_close(learn(lambda *each: correlation_loss(*each)[0]), learn(_plain))


def test_shares_of_few_and_many_rows_add_up():
    image, text = torch.randn(2, 2, 24, 6, dtype=torch.float64)
    whole, correlation = correlation_loss(image, text, 0.1)
    shares = [correlation_loss(image, text, 0.1, slice(i, i + 4)) for i in range(0, 24, 4)]
    torch.testing.assert_close(torch.stack([loss for loss, _ in shares]).mean(), whole)
    torch.testing.assert_close(torch.stack([share for _, share in shares]), correlation.expand(6))


def test_white_and_equal_sides_lose_nothing():
    rows = torch.linalg.qr(torch.randn(20, 5, dtype=torch.float64))[0] * 20**0.5
    objective = BarLIPSpec(kind="barlip", augmented_views=0).build(Widths(5), None)
    inputs = StepInputs((Features(rows),), (Features(rows),), slice(0, 20))
    outcome = objective(inputs)
    assert outcome.loss.item() == pytest.approx(0, abs=1e-12)
    assert outcome.metrics["correlation"].item() == pytest.approx(1)


@pytest.mark.parametrize("views", [0, 1, 3])
def test_it_is_the_mean_over_the_clean_pair_and_all_augmented_pairs(views):
    settings = {"off_diagonal": 0.1, "factor": 2.0, "augmented_head": "h"}
    objective = BarLIPSpec(kind="barlip", augmented_views=views, **settings).build(Widths(5), None)
    image, text = (
        tuple(Features(torch.randn(7, 5), {"h": torch.randn(7, 4)}) for _ in range(1 + views))
        for _ in range(2)
    )
    pairs = [(image[0].embedding, text[0].embedding)]
    pairs += [(i.heads["h"], t.heads["h"]) for i in image[1:] for t in text[1:]]
    expected = 2 * torch.stack([_plain(i[None], t[None], 0.1) for i, t in pairs]).mean()
    torch.testing.assert_close(objective(StepInputs(image, text, slice(0, 7))).loss, expected)

"""Relations by hand."""

import math

import pytest
import torch
from pydantic import ValidationError

from protoclip_cli.core.types import Features, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import _relations
from protoclip_cli.objectives._relations import angle_relations, distance_relations
from protoclip_cli.objectives.rkd import RkdSpec


def test_distances_by_hand():
    """1, 2, 1 over their mean of 4/3 against 1, 1, 1: twice (0.25 + 0.25) ^ 2 / 2 and 0.5 ^ 2 / 2, over 9."""
    line = torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)
    triangle = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]], dtype=torch.float64)
    expected = 2 * (0.25**2 + 0.25**2 + 0.5**2) / 2 / 9
    assert distance_relations(line, triangle).item() == pytest.approx(expected)


def test_angles_by_hand():
    """Cosines 1, -1, 1 at the ends and the middle of a line against 1/2 everywhere, each in two orders."""
    line = torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)
    triangle = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]], dtype=torch.float64)
    expected = 2 * (0.5**2 / 2 + (1.5 - 0.5) + 0.5**2 / 2) / 27
    assert angle_relations(line, triangle).item() == pytest.approx(expected)


@pytest.mark.parametrize("own", [slice(0, 5), slice(5, 7), slice(7, 12)])
@pytest.mark.parametrize("block", [1, 300, 1 << 23])
def test_blocks_and_shares_equal_the_plain_formula(monkeypatch, own, block):
    monkeypatch.setattr(_relations, "_BLOCK", block)
    student, teacher = torch.randn(2, 12, 5, dtype=torch.float64, requires_grad=True).unbind()

    def plain_angles(rows):
        units = torch.nn.functional.normalize(rows[None] - rows[own, None], dim=-1)
        return units @ units.mT

    def plain_distances(rows):
        # The difference is zero from a row to itself, where a norm has no derivative.
        distances = ((rows[:, None] - rows).square().sum(-1) + torch.eye(12)).sqrt() - torch.eye(12)
        return distances[own] / (distances.sum() / 132)

    plain = [
        torch.nn.functional.smooth_l1_loss(relations(student), relations(teacher))
        for relations in (plain_angles, plain_distances)
    ]
    ours = [angle_relations(student, teacher, own), distance_relations(student, teacher, own)]
    for one, other in zip(ours, plain, strict=True):
        torch.testing.assert_close(one, other)
        gradients = (torch.autograd.grad(x, (student, teacher), retain_graph=True) for x in (one, other))
        torch.testing.assert_close(*gradients, atol=1e-9, rtol=1e-6)


def test_rows_that_coincide_have_no_direction_and_do_no_harm():
    rows = torch.randn(6, 4)
    student = torch.cat([rows, rows[:2]]).requires_grad_()
    loss = angle_relations(student, torch.randn(8, 4)) + distance_relations(student, torch.randn(8, 4))
    loss.backward()
    assert student.grad.abs().max() < 1


def test_a_factor_of_zero_skips_a_term_and_two_are_refused():
    def metrics(**weights):
        objective = RkdSpec(kind="rkd", **weights).build(Widths(4), None)
        rows = (Features(torch.randn(3, 4)),)
        return set(objective(StepInputs(rows, rows, slice(0, 3))).metrics)

    assert metrics() == {"distance", "angle"}
    assert metrics(angle=0) == {"distance"}
    assert metrics(distance=0) == {"angle"}
    with pytest.raises(ValidationError, match="must not both be 0"):
        RkdSpec(kind="rkd", distance=0, angle=0)

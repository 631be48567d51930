"""Sinkhorn's assignment (clip-rocket's losses.py)."""

import pytest
import torch

from protoclip_cli.objectives import _sinkhorn
from protoclip_cli.objectives._sinkhorn import sinkhorn

by_factors = _sinkhorn._by_factors


def test_it_equals_clip_rockets(golden, load, near):
    for path in golden("rocket_sinkhorn*.npz"):
        g = load(path)
        near(sinkhorn(g["in_scores"], g["hp_iters"], g["hp_epsilon"]), g["out_assignment"])


@pytest.mark.parametrize("factor", [1, 100, 10_000])
def test_rows_sum_to_one_where_the_originals_exponentials_vanish(factor):
    scores = factor * torch.randn(6, 9, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assignment = sinkhorn(scores)
    assert not assignment.requires_grad
    torch.testing.assert_close(assignment.sum(dim=1), torch.ones(6))


def test_columns_get_the_same_in_the_end():
    scores = torch.randn(6, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    columns = sinkhorn(scores, iterations=2000, epsilon=0.5).sum(dim=0)
    torch.testing.assert_close(columns, torch.full((3,), 2.0, dtype=torch.float64))


@pytest.mark.parametrize(("epsilon", "faster"), [(0.04, True), (0.01, False)])
def test_a_bound_of_the_scores_changes_how_and_not_what(monkeypatch, epsilon, faster):
    scores = torch.rand(50, 9, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected = sinkhorn(scores.double(), epsilon=epsilon).float()
    ways = []
    monkeypatch.setattr(_sinkhorn, "_by_factors", lambda *given: ways.append(given) or by_factors(*given))
    torch.testing.assert_close(sinkhorn(scores, epsilon=epsilon, bound=1.0), expected, atol=1e-5, rtol=1e-5)
    assert bool(ways) is faster


def test_rows_that_are_as_far_as_can_be_from_a_column_still_sum_to_one():
    scores = torch.full((64, 5), -1.0)
    scores[:, 0] = 1
    assignment = sinkhorn(scores, epsilon=2 / 60, bound=1.0)
    torch.testing.assert_close(assignment.sum(dim=1), torch.ones(64))


@pytest.mark.parametrize("shape", [(8, 3000), (300, 5)])
def test_many_rounds_stay_finite(shape):
    scores = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected = sinkhorn(scores.double(), iterations=60).float()
    torch.testing.assert_close(sinkhorn(scores, iterations=60, bound=1.0), expected, atol=1e-5, rtol=1e-3)

"""Sinkhorn's assignment (clip-rocket's losses.py)."""

import pytest
import torch

from protoclip_cli.objectives._sinkhorn import sinkhorn


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

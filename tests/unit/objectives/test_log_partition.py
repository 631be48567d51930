"""Against torch's logsumexp of the whole matrix."""

import torch

from protoclip_cli.objectives._log_partition import log_partition, partition_and_nearest


def test_value_gradients_and_nearest_are_those_of_the_whole_matrix():
    torch.manual_seed(0)
    rows = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    columns = torch.randn(7, 4, dtype=torch.float64)
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(5, dtype=torch.float64)
    named = torch.tensor([0, 1, 2, 3, 4])
    found, nearest = partition_and_nearest(rows, columns, scale, named)
    logits = scale * rows @ columns.T
    expected = logits.logsumexp(dim=-1)
    torch.testing.assert_close(found, expected)
    assert torch.equal(nearest, logits.argmax(dim=-1) == named)
    assert 0 < nearest.sum() < 5
    ours = torch.autograd.grad(weight @ found, (rows, scale))
    torch.testing.assert_close(ours, torch.autograd.grad(weight @ expected, (rows, scale)))


def test_columns_are_constants_and_large_scales_stay_finite():
    rows = torch.randn(3, 4, requires_grad=True)
    columns = torch.randn(6, 4, requires_grad=True)
    value = log_partition(rows, columns, torch.tensor(1e4))
    assert value.isfinite().all()
    value.sum().backward()
    assert rows.grad.isfinite().all()
    assert columns.grad is None


def test_where_all_columns_are_alike_none_is_near():
    rows, named = torch.randn(4, 3), torch.zeros(4, dtype=torch.long)
    _, nearest = partition_and_nearest(rows, torch.ones(9, 3), torch.tensor(5.0), named)
    assert not nearest.any()
    _, nearest = partition_and_nearest(rows, torch.ones(1, 3), torch.tensor(5.0), named)
    assert nearest.all()

"""Batch norm of one process is torch's own."""

import pytest
import torch
from torch import nn

from protoclip_cli.compute.sync_norm import SyncNorm, synchronise_norms


@pytest.mark.parametrize("shape", [(8, 3), (8, 3, 2, 2)])
def test_alone_it_equals_torch(shape):
    ours, theirs = SyncNorm(3), (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(3)
    for _ in range(2):
        rows = torch.randn(shape) * 2 + 1
        torch.testing.assert_close(ours(rows), theirs(rows))
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()))
    torch.testing.assert_close(ours.eval()(rows), theirs.eval()(rows))


def test_with_one_process_nothing_is_replaced():
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    assert type(synchronise_norms(module)[1]) is nn.BatchNorm1d


def test_a_single_dimension_is_refused():
    with pytest.raises(ValueError, match="at least 2 dimensions"):
        SyncNorm(3)._check_input_dim(torch.zeros(3))

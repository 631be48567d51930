"""Batch norm over several processes is batch norm over one big batch."""

import copy

import pytest
import torch
from torch import nn

from protoclip_cli.compute.processes import mean_gradients, rank, world
from protoclip_cli.compute.sync_norm import SyncNorm, synchronise_norms

pytestmark = pytest.mark.parametrize("size", [2, 3])


def _steps(module, batches, weights):
    """Two training steps and one evaluation: what comes out, what is learned, what is remembered."""
    outputs, gradients = [], []
    for batch, weight in zip(batches, weights, strict=True):
        batch = batch.clone().requires_grad_()
        output = module(batch)
        (output * weight).sum().div(len(batch)).backward()
        outputs.append(output.detach())
        gradients.append(batch.grad)
    mean_gradients(module.parameters())
    module.eval()
    outputs.append(module(batches[0]).detach())
    learned = [p.grad for p in module.parameters()]
    return outputs, gradients, learned, dict(module.state_dict())


def _on_own_rows(module, batches, weights):
    def own(whole):
        return [part.chunk(world())[rank()] for part in whole]

    module = synchronise_norms(module)
    assert any(isinstance(m, SyncNorm) for m in module.modules())
    return _steps(module, own(batches), own(weights))


@pytest.mark.parametrize("shape", [(5,), (5, 3, 2)])
@pytest.mark.parametrize("affine", [True, False])
def test_it_equals_one_process(on_processes, size, shape, affine):
    norm = (nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d)(5, affine=affine, momentum=0.3)
    module = nn.Sequential(norm).double()
    if affine:
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    batches = [torch.randn(4 * size, *shape, dtype=torch.float64) * 3 + 5 for _ in range(2)]
    weights = [torch.randn_like(batch) for batch in batches]
    outputs, gradients, learned, state = _steps(copy.deepcopy(module), batches, weights)
    results = on_processes(size, _on_own_rows, module, batches, weights)
    for r, (own_outputs, own_gradients, own_learned, own_state) in enumerate(results):
        torch.testing.assert_close(own_outputs, [o.chunk(size)[r] for o in outputs])
        # Each process divides by its own rows, and the mean over processes comes later.
        torch.testing.assert_close([g / size for g in own_gradients], [g.chunk(size)[r] for g in gradients])
        torch.testing.assert_close(own_learned, learned)
        torch.testing.assert_close(own_state, state)
        assert own_state["0.num_batches_tracked"] == 2


def _half_precision():
    norm = SyncNorm(4)
    rows = torch.randn(6, 4).bfloat16()
    return norm(rows).dtype, norm.running_mean.dtype


def test_half_precision_comes_out_as_it_went_in(on_processes, size):
    assert on_processes(size, _half_precision) == [(torch.bfloat16, torch.float32)] * size

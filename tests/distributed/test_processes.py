"""What several processes tell each other is what one process would have known."""

import os
import signal

import pytest
import torch

from protoclip_cli.compute import processes
from protoclip_cli.compute.processes import (
    collect,
    collect_ragged,
    from_main,
    is_main,
    mean_gradients,
    mean_over_processes,
    rank,
    share,
    wait_for_all,
    world,
)
from protoclip_cli.compute.stop import StopFlag

pytestmark = pytest.mark.parametrize("size", [2, 3])


def _tell_rank():
    return rank(), world(), is_main()


def test_every_process_knows_its_rank(on_processes, size):
    assert on_processes(size, _tell_rank) == [(r, size, r == 0) for r in range(size)]


def _share(count):
    return list(share(count))


@pytest.mark.parametrize("count", [0, 1, 7, 12])
def test_shares_are_contiguous_even_and_complete(on_processes, size, count):
    shares = on_processes(size, _share, count)
    assert [i for part in shares for i in part] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def _collect(rows, weights):
    own = rows.chunk(world())[rank()].clone().requires_grad_()
    joined = collect(own)
    (joined * weights[rank()]).sum().backward()
    return joined.detach(), own.grad, collect(own.detach()).requires_grad


def test_collect_joins_in_rank_order_and_sums_the_gradients_of_all(on_processes, size):
    rows = torch.randn(2 * size, 3, dtype=torch.float64)
    weights = torch.randn(size, 2 * size, 3, dtype=torch.float64)
    results = on_processes(size, _collect, rows, weights)
    expected = weights.sum(0).chunk(size)
    for r, (joined, gradient, plain_has_gradient) in enumerate(results):
        torch.testing.assert_close(joined, rows, rtol=0, atol=0)
        torch.testing.assert_close(gradient, expected[r])
        assert not plain_has_gradient


def _collect_ragged(counts):
    rows = torch.full((counts[rank()], 2), float(rank()))
    return collect_ragged(rows)


@pytest.mark.parametrize("counts", [[3, 1, 2], [0, 2, 0], [0, 0, 0]])
def test_collect_ragged_joins_unequal_parts(on_processes, size, counts):
    expected = torch.cat([torch.full((n, 2), float(r)) for r, n in enumerate(counts[:size])])
    for joined in on_processes(size, _collect_ragged, counts):
        torch.testing.assert_close(joined, expected, rtol=0, atol=0)


def _mean():
    mine = torch.tensor([float(rank()), 10.0])
    return mean_over_processes(mine), mine


def test_mean_over_processes_leaves_its_input_alone(on_processes, size):
    for r, (mean, mine) in enumerate(on_processes(size, _mean)):
        assert mean.tolist() == [(size - 1) / 2, 10.0]
        assert mine.tolist() == [r, 10.0]


def _from_main():
    return from_main({"rank": rank(), "text": "é"}), from_main(None if is_main() else 1)


def test_all_get_what_the_main_process_has(on_processes, size):
    assert on_processes(size, _from_main) == [({"rank": 0, "text": "é"}, None)] * size


def _mean_gradients(bucket_bytes):
    processes._BUCKET_BYTES = bucket_bytes
    shapes = [(5, 3), (), (7,), (2, 2), (40,)]
    dtypes = [torch.float64, torch.float64, torch.float32, torch.float64, torch.float64]
    parameters = [torch.nn.Parameter(torch.zeros(s, dtype=d)) for s, d in zip(shapes, dtypes, strict=True)]
    for i, parameter in enumerate(parameters):
        parameter.grad = torch.full_like(parameter, float(rank() + i))
    parameters[0].grad = torch.arange(15.0, dtype=torch.float64).view(3, 5).T * rank()  # not contiguous
    parameters[3].grad = None
    mean_gradients(parameters)
    return [p.grad for p in parameters]


@pytest.mark.parametrize("bucket_bytes", [1, 100, 2**20])
def test_gradients_are_averaged_whatever_their_type_and_bucket(on_processes, size, bucket_bytes):
    mean = (size - 1) / 2
    for first, *rest in on_processes(size, _mean_gradients, bucket_bytes):
        torch.testing.assert_close(first, torch.arange(15.0, dtype=torch.float64).view(3, 5).T * mean)
        assert [None if g is None else set(g.flatten().tolist()) for g in rest] == [
            {mean + 1},
            {mean + 2},
            None,
            {mean + 4},
        ]


def _stop(number, where):
    with StopFlag() as flag:
        before = flag.poll()
        if rank() == where:
            os.kill(os.getpid(), number)
        wait_for_all()
        return before, flag.poll(), flag.poll()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_to_one_process_stops_all(on_processes, size, number):
    handlers = on_processes(size, _handlers)
    assert on_processes(size, _stop, int(number), size - 1) == [(0, number, number)] * size
    assert on_processes(size, _handlers) == handlers


def _handlers():
    return [str(signal.getsignal(n)) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)]

"""With one process the functions for several do nothing."""

import torch

from protoclip_cli.compute import processes


def test_one_process_is_the_whole_world():
    assert (processes.rank(), processes.world(), processes.is_main()) == (0, 1, True)
    assert processes.share(5) == range(5)
    processes.wait_for_all()


def test_one_process_collects_itself():
    rows = torch.randn(3, 2, requires_grad=True)
    assert processes.collect(rows) is rows
    assert processes.collect_ragged(rows) is rows
    assert processes.mean_over_processes(rows) is rows
    assert processes.from_main(rows) is rows


def test_one_process_leaves_its_gradients_alone():
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.tensor([1.0, 2.0])
    processes.mean_gradients([parameter, torch.nn.Parameter(torch.ones(1))])
    assert parameter.grad.tolist() == [1, 2]


def test_a_launcher_is_known_by_what_it_sets(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert not processes.launched()
    assert processes.local_world() == 1
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert processes.launched()
    assert processes.local_world() == 4

"""The ring of latest features."""

import torch

from protoclip_cli.objectives._queue import RingQueue


def _numbered(first, last):
    return torch.arange(first, last).float()[:, None].expand(-1, 2)


def _firsts(queue):
    return queue.rows[:, 0].tolist()


def test_it_starts_with_unit_vectors_that_do_not_depend_on_global_chance():
    first = RingQueue(9, 4).rows.clone()
    torch.rand(3)
    torch.testing.assert_close(RingQueue(9, 4).rows, first, rtol=0, atol=0)
    torch.testing.assert_close(first.norm(dim=-1), torch.ones(9))
    assert len(first.unique(dim=0)) == 9


def test_it_goes_on_at_the_start_past_the_end():
    queue = RingQueue(5, 2)
    queue.push(_numbered(0, 3))
    queue.push(_numbered(3, 7))
    assert _firsts(queue) == [5, 6, 2, 3, 4]
    assert queue.position == 2


def test_of_more_rows_than_fit_the_last_stay_in_their_places():
    whole, in_parts = RingQueue(5, 2), RingQueue(5, 2)
    whole.push(_numbered(0, 2))
    in_parts.push(_numbered(0, 2))
    whole.push(_numbered(2, 15))
    for i in range(2, 15):
        in_parts.push(_numbered(i, i + 1))
    assert sorted(_firsts(whole)) == [10, 11, 12, 13, 14]
    assert _firsts(whole) == _firsts(in_parts)
    assert whole.position == in_parts.position == 0


def test_a_full_round_ends_where_it_began():
    queue = RingQueue(4, 2)
    queue.push(_numbered(0, 4))
    assert _firsts(queue) == [0, 1, 2, 3]
    assert queue.position == 0


def test_it_keeps_its_own_precision_and_no_graph():
    queue = RingQueue(4, 2)
    queue.push(torch.ones(3, 2, dtype=torch.bfloat16, requires_grad=True))
    assert queue.rows.dtype == torch.float32
    assert not queue.rows.requires_grad


def test_its_place_is_in_the_checkpoint():
    queue, twin = RingQueue(4, 2), RingQueue(4, 2)
    queue.push(_numbered(0, 3))
    twin.load_state_dict(queue.state_dict())
    queue.push(_numbered(3, 5))
    twin.push(_numbered(3, 5))
    assert _firsts(twin) == _firsts(queue) == [4, 1, 2, 3]

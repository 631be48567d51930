from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.needs import Needs
from protoclip_cli.training.episodes import Plan
from protoclip_cli.training.specs import BatchSpec, EpisodesSpec

NEEDS = Needs(image_views=2, text_views=1)


def plan(data_rows=50, rows=20, episodes=7, batch=4, *, seed=0, replacement=False, anchors=None):
    return Plan(seed, data_rows, rows, batch, replacement, anchors or tuple(range(episodes)))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(1, 150), st.integers(0, 3))
def test_every_row_comes_once_before_any_comes_again(data_rows, rows, seed):
    episodes = -(-3 * data_rows // rows)
    one = plan(data_rows, rows, episodes, seed=seed)
    line = list(chain.from_iterable(one.episode_rows(e).tolist() for e in range(episodes)))
    for start in range(0, len(line) - data_rows + 1, data_rows):
        assert sorted(line[start : start + data_rows]) == list(range(data_rows))


def test_episodes_are_a_pure_function_of_the_seed_and_the_episode():
    for replacement in (False, True):
        one = plan(replacement=replacement)
        late_first = [one.episode_rows(episode).tolist() for episode in (5, 2, 0)]
        again = plan(replacement=replacement)
        assert [again.episode_rows(episode).tolist() for episode in (5, 2, 0)] == late_first
        assert plan(replacement=replacement, seed=1).episode_rows(0).tolist() != late_first[2]
        assert len({tuple(rows) for rows in late_first}) == 3
        assert one.episode_rows(0).dtype == np.int64


def test_passes_are_in_different_orders():
    one = plan(30, 30)
    assert one.episode_rows(0).tolist() != one.episode_rows(1).tolist()


def test_with_replacement_rows_are_drawn_anew():
    rows = plan(10, 20_000, replacement=True).episode_rows(0)
    counts = Counter(rows.tolist())
    assert set(counts) == set(range(10))
    assert 1500 < min(counts.values()) < max(counts.values()) < 2500
    small = plan(40, 40, replacement=True).episode_rows(0)
    assert len(set(small.tolist())) < 40


@pytest.mark.parametrize("world", [1, 2, 4])
def test_the_requests_of_all_ranks_are_the_batches(world):
    one = plan(50, 23, batch=8)
    assert one.steps_per_episode == 2
    shares = [list(one.requests(3, 0, NEEDS, rank, world)) for rank in range(world)]
    whole = list(one.requests(3, 0, NEEDS, 0, 1))
    for step, request in enumerate(whole):
        parts = [share[step] for share in shares]
        assert np.concatenate([part.rows for part in parts]).tolist() == request.rows.tolist()
        assert np.concatenate([part.positions for part in parts]).tolist() == request.positions.tolist()
        assert {len(part.rows) for part in parts} == {8 // world}
        assert {(part.episode, part.image_views, part.text_views) for part in parts} == {(3, 2, 1)}
    assert [len(share) for share in shares] == [2] * world


def test_positions_point_at_the_episodes_rows_and_an_episode_can_be_entered_in_the_middle():
    one = plan(50, 20)
    rows = one.episode_rows(2)
    requests = list(one.requests(2, 0, NEEDS, 0, 1))
    assert all((rows[request.positions] == request.rows).all() for request in requests)
    rest = list(one.requests(2, 3, NEEDS, 0, 1))
    assert [r.rows.tolist() for r in rest] == [r.rows.tolist() for r in requests[3:]]
    assert list(one.requests(2, one.steps_per_episode, NEEDS, 0, 1)) == []


def test_a_plan_is_made_of_a_recipes_parts():
    made = Plan.make(5, 100, EpisodesSpec(count=3), BatchSpec(size=32))
    assert (made.rows, made.steps_per_episode, made.steps, made.replacement) == (100, 3, 9, False)
    made = Plan.make(5, 100, EpisodesSpec(rows=70, sampling="replacement"), BatchSpec(size=32))
    assert (made.rows, made.steps, made.replacement) == (70, 2, True)


def test_an_episode_has_at_least_one_batch():
    with pytest.raises(RecipeError, match="an episode of 31 rows has less than one batch of 32") as caught:
        Plan.make(0, 31, EpisodesSpec(), BatchSpec(size=32))
    assert "batch.size" in caught.value.hint
    assert Plan.make(0, 32, EpisodesSpec(), BatchSpec(size=32)).steps == 1


@pytest.mark.parametrize("sampling", ["shuffle", "replacement"])
def test_an_episode_has_no_more_rows_than_there_are(sampling):
    with pytest.raises(RecipeError, match="an episode of 101 rows is larger than the data, which has 100"):
        Plan.make(0, 100, EpisodesSpec(rows=101, sampling=sampling), BatchSpec(size=32))


@pytest.mark.parametrize("replacement", [False, True])
def test_episodes_that_share_a_clustering_share_its_rows_in_another_order(replacement):
    one = plan(anchors=(0, 1, 1, 1, 4), replacement=replacement)
    rows = [one.episode_rows(episode).tolist() for episode in range(5)]
    assert rows[1] == rows[2] == rows[3]
    assert rows[0] != rows[1] != rows[4]
    requests = [list(one.requests(episode, 0, NEEDS, 0, 1)) for episode in range(5)]
    assert [{request.anchor for request in of} for of in requests] == [{0}, {1}, {1}, {1}, {4}]
    orders = [np.concatenate([request.positions for request in of]).tolist() for of in requests]
    assert orders[1] == list(range(20))
    assert sorted(orders[2]) == sorted(orders[3]) == list(range(20))
    assert orders[2] != orders[3] != orders[1]
    for of in requests[1:4]:
        for request in of:
            assert request.rows.tolist() == [rows[1][position] for position in request.positions]


def test_a_draw_that_is_used_twice_skips_no_rows():
    shared, single = plan(anchors=(0, 0, 2, 2, 4)), plan(episodes=3)
    for episode, draw in ((0, 0), (1, 0), (2, 1), (3, 1), (4, 2)):
        assert shared.episode_rows(episode).tolist() == single.episode_rows(draw).tolist()


def test_what_is_left_over_is_shared_and_comes_once():
    one = plan(rows=23, batch=6)
    parts = [one.left_over(rank, 3) for rank in range(3)]
    assert sorted(np.concatenate(parts).tolist()) == list(range(18, 23))

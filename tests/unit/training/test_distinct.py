"""Rows are exchanged between batches; none is added, lost or met by one of its kind without need."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoclip_cli.core.needs import Needs
from protoclip_cli.data.captions import Captions
from protoclip_cli.training.distinct import Distinct, keep_apart
from protoclip_cli.training.episodes import Plan

NEEDS = Needs(image_views=1, text_views=1)


@st.composite
def codes(draw, columns=1):
    batch, batches = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    kinds = draw(st.integers(1, 2 * batch * batches))
    one = st.lists(st.integers(0, kinds - 1), min_size=batch * batches, max_size=batch * batches)
    return batch, [np.array(draw(one)) for _ in range(columns)]


def repetitions(code, order, batch):
    """Rows of a batch beyond the first of each kind."""
    return sum(batch - len(set(rows)) for rows in code[order].reshape(-1, batch).tolist())


@settings(max_examples=120, deadline=None)
@given(codes())
def test_of_one_kind_only_what_cannot_be_avoided_is_repeated(case):
    batch, (code,) = case
    order, met = keep_apart([code], batch)
    assert sorted(order) == list(range(len(code)))
    batches = len(code) // batch
    least = sum(max(0, count - batches) for count in Counter(code.tolist()).values())
    assert met == repetitions(code, order, batch)
    assert met == least if not least else met >= least


@settings(max_examples=120, deadline=None)
@given(codes(columns=2))
def test_of_two_kinds_what_is_repeated_is_counted(case):
    batch, both = case
    order, met = keep_apart(both, batch)
    assert sorted(order) == list(range(len(order)))
    assert (met > 0) == any(repetitions(code, order, batch) for code in both)
    again, _ = keep_apart([one.copy() for one in both], batch)
    assert again.tolist() == order.tolist()


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 8), st.integers(1, 8))
def test_rows_that_do_not_repeat_stay_where_they_are(batch, batches):
    order, met = keep_apart([np.arange(batch * batches)[::-1]], batch)
    assert order.tolist() == list(range(batch * batches))
    assert met == 0


def test_what_cannot_be_avoided_is_spread_evenly():
    code = np.where(np.arange(40) < 12, 99, np.arange(40))
    order, met = keep_apart([code], 10)
    assert [batch.count(99) for batch in code[order].reshape(4, 10).tolist()] == [3, 3, 3, 3]
    assert met == 8


def test_a_caption_of_thousands_of_rows_is_spread_too():
    rows, batch = 40_000, 500
    code = np.where(np.random.default_rng(0).random(rows) < 0.2, 0, np.arange(rows))
    order, met = keep_apart([code, np.arange(rows)], batch)
    counts = (code[order].reshape(-1, batch) == 0).sum(1)
    assert counts.max() - counts.min() <= 1
    assert met == (code == 0).sum() - len(counts)


def plan(distinct, *, rows=40, batch=8, anchors=(0, 1, 1), replacement=False):
    return Plan(3, 60, rows, batch, replacement, anchors, distinct)


def make_distinct(image=None, caption=None, counts=None):
    texts = [f"text {code}" for code in (caption if caption is not None else range(60))]
    captions = Captions(texts) if counts is None else Captions.grouped(texts, counts)
    return Distinct(
        3, captions, None if caption is None else captions.codes, None if image is None else np.array(image)
    )


@pytest.mark.parametrize("replacement", [False, True])
def test_batches_of_a_plan_have_no_image_twice_and_the_same_rows_as_before(replacement):
    image = np.arange(60) // 3
    with_, without = (
        plan(one, rows=44, replacement=replacement) for one in (make_distinct(image=image), None)
    )
    for episode in range(3):
        batches = [request.rows for request in with_.requests(episode, 0, NEEDS, 0, 1)]
        assert len(batches) == 5
        again = sum(8 - len(set(image[rows].tolist())) for rows in batches)
        assert with_.repetitions(episode) == again
        assert again == 0 or replacement
        before = np.concatenate([request.rows for request in without.requests(episode, 0, NEEDS, 0, 1)])
        assert sorted(np.concatenate(batches)) == sorted(before)
    assert any(
        (image[r.rows][:, None] == image[r.rows]).sum() > 8 for r in without.requests(0, 0, NEEDS, 0, 1)
    )


def test_the_caption_that_counts_is_the_one_that_is_read():
    from protoclip_cli.data.loader import choose_captions

    counts = np.full(60, 2)
    texts = [0 if number % 2 else number for number in range(120)]
    one = make_distinct(caption=texts, counts=counts)
    made = plan(one, rows=40, batch=4)
    for episode in range(3):
        for request in made.requests(episode, 0, NEEDS, 0, 1):
            chosen = choose_captions(one.captions, 3, request.anchor, request.rows)
            assert sum(texts[caption] == 0 for caption in chosen) <= 2 + made.repetitions(episode)
        seen = [
            choose_captions(one.captions, 3, r.anchor, r.rows) for r in made.requests(episode, 0, NEEDS, 0, 1)
        ]
        zeros = [sum(texts[caption] == 0 for caption in captions) for captions in seen]
        assert sum(max(0, count - 1) for count in zeros) == made.repetitions(episode)
        assert max(zeros) - min(zeros) <= 1


@pytest.mark.parametrize("world", [2, 4])
def test_any_number_of_processes_and_any_first_step_read_the_same_batches(world):
    image, caption = np.arange(60) % 17, np.arange(60) % 13
    whole = list(plan(make_distinct(image, caption)).requests(2, 0, NEEDS, 0, 1))
    shares = [
        list(plan(make_distinct(image, caption)).requests(2, 0, NEEDS, rank, world)) for rank in range(world)
    ]
    for step, request in enumerate(whole):
        assert np.concatenate([share[step].rows for share in shares]).tolist() == request.rows.tolist()
    late = plan(make_distinct(image, caption)).requests(2, 3, NEEDS, 0, 1)
    assert [r.rows.tolist() for r in late] == [r.rows.tolist() for r in whole[3:]]


def test_what_was_arranged_is_remembered_for_two_episodes():
    one = make_distinct(np.arange(60) // 2)
    made = plan(one)
    first = made.order(0)
    assert made.order(0) is first
    made.order(1)
    assert made.order(0) is first
    made.order(2)
    assert sorted(one._made) == [1, 2]

"""Chance is an address, not a state."""

import numpy as np
import pytest

from protoclip_cli.compute.randomness import generator, key, row_keys, uniform


def test_addresses_differ_by_every_part():
    parts = [(0, "view"), (1, "view"), (0, "order"), (0, "view", 1), (0, "view", 1, 2), (0, "view", 12)]
    keys = [key(*part) for part in parts]
    assert len(set(keys)) == len(parts)
    assert all(0 <= k < 2**64 for k in keys)


def test_addresses_are_the_same_on_every_machine_and_in_every_version():
    assert key(0, "view", 3) == 14_267_653_986_785_359_210
    assert uniform(row_keys(key(0, "view", 3), [0, 7]), 2).tolist() == [
        [0.4850550723414233, 0.6136233117599257],
        [0.38203901848458577, 0.8685989274846767],
    ]


def test_a_row_draws_the_same_alone_and_among_others():
    stream = key(3, "crop", 1)
    together = uniform(row_keys(stream, np.arange(100)), 4)
    alone = np.concatenate([uniform(row_keys(stream, [i]), 4) for i in range(100)])
    np.testing.assert_array_equal(together, alone)


def test_more_draws_continue_fewer():
    keys = row_keys(key(3, "crop"), np.arange(5))
    np.testing.assert_array_equal(uniform(keys, 9)[:, :3], uniform(keys, 3))


def test_draws_fill_the_unit_interval_evenly():
    draws = uniform(row_keys(key(0, "test"), np.arange(20_000)), 5)
    assert draws.min() >= 0
    assert draws.max() < 1
    counts = np.histogram(draws, bins=20, range=(0, 1))[0]
    np.testing.assert_allclose(counts, 5_000, atol=5 * 5_000**0.5)


def test_neighbours_have_nothing_in_common():
    a = uniform(row_keys(key(0, "test"), np.arange(20_000)), 3)
    b = uniform(row_keys(key(0, "test", 1), np.arange(20_000)), 3)
    columns = np.corrcoef(np.concatenate([a, b, np.roll(a, 1, axis=0)], axis=1), rowvar=False)
    assert np.abs(columns - np.eye(9)).max() < 5 / 20_000**0.5


@pytest.mark.parametrize("rows", [[], [2**62], np.arange(3, dtype=np.int32)])
def test_any_whole_rows_have_addresses(rows):
    keys = row_keys(key(0, "test"), rows)
    assert keys.dtype == np.uint64
    assert keys.shape == (len(rows),)


def test_generators_of_one_address_agree():
    one, two, other = generator(0, "order", 1), generator(0, "order", 1), generator(0, "order", 2)
    first = one.permutation(50).tolist()
    assert two.permutation(50).tolist() == first
    assert other.permutation(50).tolist() != first

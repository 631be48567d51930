import numpy as np
import pytest

from protoclip_cli.metrics.confidence import of_correlation, of_mean_correlation
from protoclip_cli.metrics.correlation import by_subset, pooled, rounded_average, spearman
from protoclip_cli.metrics.similarity import SIMILARITIES, similarities


def test_ties_share_their_rank():
    assert spearman(np.array([1.0, 1, 2]), np.array([1.0, 2, 3])) == pytest.approx(np.sqrt(3) / 2)


def test_no_order_is_no_correlation():
    assert spearman(np.ones(5), np.arange(5.0)) == 0


def test_means_of_subsets():
    first = np.array([1.0, 2, 3, 1, 2, 3, 4])
    gold = np.array([1.0, 2, 3, 4, 3, 2, 1])
    values, sizes = by_subset(first, gold, np.array([0, 0, 0, 7, 7, 7, 7]))
    assert (values.tolist(), sizes.tolist()) == ([1, -1], [3, 4])
    assert pooled(values, sizes, "mean") == pytest.approx(0)
    assert pooled(values, sizes, "wmean") == pytest.approx(-1 / 7)


def test_the_average_of_tables_is_over_rounded_numbers():
    values = np.array([0.71234, 0.71236])  # 71.23 and 71.24
    assert rounded_average(values) == pytest.approx(0.71235, abs=1e-12)
    assert rounded_average(np.array([0.712349, 0.712349])) == pytest.approx(0.7123, abs=1e-12)


def test_equal_pairs_tie():
    rows = np.random.default_rng(0).normal(size=(50, 33)).astype(np.float32)
    assert (similarities(rows, 3 * rows) == 1).all()


@pytest.mark.parametrize("measure", SIMILARITIES)
def test_nearer_is_more_alike(measure):
    origin, near, far = (np.array([[x, 1.0]]) for x in (0.0, 0.1, 9.0))
    if measure != "dot":
        assert similarities(origin, near, measure) > similarities(origin, far, measure)
    assert similarities(origin, near, measure).shape == (1,)


@pytest.mark.parametrize(("truth", "n"), [(0.0, 30), (0.6, 60), (-0.8, 200)])
def test_nineteen_of_twenty_intervals_hold_the_truth(truth, n):
    chance = np.random.default_rng(0)
    # The rank correlation of two normal variables with linear correlation 2 sin(pi r / 6) is r.
    linear = 2 * np.sin(np.pi * truth / 6)
    held = []
    for _ in range(600):
        x, y = chance.normal(size=(2, n))
        low, high = of_correlation(spearman(x, linear * x + np.sqrt(1 - linear**2) * y), n)
        held.append(low <= truth <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_the_interval_of_a_mean_is_narrower():
    one = np.ptp(of_correlation(0.5, 50))
    assert np.ptp(of_mean_correlation([0.5] * 4, [50] * 4, [1] * 4)) == pytest.approx(one / 2, rel=0.05)

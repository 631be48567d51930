import numpy as np
import pytest

from protoclip_cli.metrics.confidence import of_class_mean, of_mean, of_proportion


@pytest.mark.parametrize(("share", "n"), [(0.1, 50), (0.5, 20), (0.9, 200)])
def test_nineteen_of_twenty_intervals_hold_the_truth(share, n):
    drawn = np.random.default_rng(0).binomial(n, share, 4_000)
    held = [low <= share <= high for low, high in (of_proportion(hits / n, n) for hits in drawn)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_none_or_all_of_a_few_is_not_certain(share):
    low, high = of_proportion(share, 10)
    assert 0 <= low <= share <= high <= 1
    assert high - low > 0.2


def test_intervals_of_a_mean_hold_the_truth():
    drawn = np.random.default_rng(0).gamma(2.0, 1.0, (4_000, 60))
    held = [low <= 2.0 <= high for low, high in map(of_mean, drawn)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_intervals_of_a_class_mean_hold_the_truth():
    sizes, truth = np.array([5, 40, 300]), np.array([0.3, 0.8, 0.6])
    drawn = np.random.default_rng(0).binomial(sizes, truth, (4_000, 3))
    held = [low <= truth.mean() <= high for low, high in (of_class_mean(hits, sizes) for hits in drawn)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.04)

import numpy as np
import pytest

from protoclip_cli.metrics.confidence import of_class_mean, of_halves, of_mean, of_proportion, of_roc_auc


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


def test_intervals_of_halves_hold_the_truth():
    """A statistic with no formula, the median, on rows of which none is drawn twice."""
    rng = np.random.default_rng(0)
    held = []
    for _ in range(300):
        values = rng.normal(size=80)
        median = float(np.median(values))
        low, high = of_halves(lambda rows, v=values: float(np.median(v[rows])), median, 80, rng)
        held.append(low <= 0 <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.04)


def test_a_sample_of_fewer_rows_gives_an_interval_of_the_same_width():
    values = np.random.default_rng(0).normal(size=4_000)

    def width(most):
        chance = np.random.default_rng(1)
        low, high = of_halves(lambda rows: float(values[rows].mean()), 0.0, 4_000, chance, most=most)
        return high - low

    assert width(200) == pytest.approx(width(None), rel=0.4)
    assert width(None) == pytest.approx(2 * 1.96 / 4_000**0.5, rel=0.25)


def test_a_statistic_that_is_rarely_known_has_no_interval():
    chance = np.random.default_rng(0)
    assert of_halves(lambda _: float("nan"), 0.5, 100, chance) is None
    assert of_halves(lambda _: 0.5, 0.5, 3, chance) is None


def test_intervals_of_an_area_hold_the_truth():
    rng = np.random.default_rng(0)
    positive = np.arange(100) < 40
    held = []
    for _ in range(400):
        low, high = of_roc_auc(rng.normal(size=100) + positive, positive)
        held.append(low <= 0.7602 <= high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_an_area_of_1_is_not_certain():
    low, high = of_roc_auc(np.arange(20.0), np.arange(20) >= 15)
    assert (low, high) == (pytest.approx(0.566, abs=0.01), 1.0)

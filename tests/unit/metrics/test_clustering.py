import numpy as np
import pytest

from protoclip_cli.metrics import clustering

MEASURES = [
    clustering.adjusted_mutual_information,
    clustering.adjusted_rand_index,
    clustering.normalized_mutual_information,
]


@pytest.mark.parametrize("measure", MEASURES)
def test_names_of_clusters_mean_nothing(measure):
    labels = np.repeat(np.arange(5), 20)
    assert measure(labels, (labels * 3 + 1) % 5) == pytest.approx(1)


@pytest.mark.parametrize("measure", MEASURES[:2])
def test_chance_is_zero(measure):
    rng = np.random.default_rng(0)
    assert measure(rng.integers(0, 20, 2_000), rng.integers(0, 20, 2_000)) == pytest.approx(0, abs=0.02)


def test_normalized_information_is_above_zero_by_chance():
    rng = np.random.default_rng(0)
    assert clustering.normalized_mutual_information(rng.integers(0, 9, 99), rng.integers(0, 9, 99)) > 0.1

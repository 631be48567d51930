import numpy as np
import pytest

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.metrics.neighbours import neighbour_votes

RNG = np.random.default_rng(0)
TRAIN, QUERIES = RNG.normal(size=(50, 6)), RNG.normal(size=(17, 6))
WEIGHTS = np.eye(4)[RNG.integers(0, 4, 50)]


@pytest.mark.parametrize("k", [1, 7, 50, 80])
def test_any_chunk_gives_what_sorting_gives(k):
    train, queries = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (TRAIN, QUERIES))
    cosines = np.round((queries @ train.T) * 2**24) / 2**24
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    strength = np.exp(np.take_along_axis(cosines, nearest, axis=1) / 0.5)
    expected = (strength[:, :, None] * WEIGHTS[nearest]).sum(axis=1)
    for chunk in (None, 5):
        votes = neighbour_votes(TRAIN, WEIGHTS, QUERIES, k=k, temperature=0.5, chunk=chunk)
        shares = votes / votes.sum(axis=1, keepdims=True)
        assert shares == pytest.approx(expected / expected.sum(axis=1, keepdims=True))


def test_of_equally_near_rows_the_first_vote():
    train = np.repeat([[1.0, 0.0]], 5, axis=0)
    votes = neighbour_votes(train, np.eye(5), np.array([[1.0, 0.0]]), k=2)
    assert (votes[0] > 0).tolist() == [True, True, False, False, False]


def test_no_temperature_overflows():
    assert np.isfinite(neighbour_votes(TRAIN, WEIGHTS, QUERIES, temperature=1e-4)).all()


@pytest.mark.parametrize("side", [0, 1])
def test_features_that_are_not_finite_are_an_error(side):
    broken = [TRAIN.copy(), QUERIES.copy()]
    broken[side][3, 2] = np.nan
    with pytest.raises(ProtoclipError, match="not finite"):
        neighbour_votes(broken[0], WEIGHTS, broken[1])

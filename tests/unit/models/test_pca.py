import numpy as np
import pytest
from sklearn.decomposition import PCA

from protoclip_cli.models import pca as module
from protoclip_cli.models.pca import Pca


@pytest.fixture
def features():
    chance = np.random.default_rng(0)
    mixed = chance.normal(size=(500, 12)) * np.geomspace(8, 0.5, 12) @ chance.normal(size=(12, 12)) + 30
    return mixed.astype(np.float32)


@pytest.mark.parametrize("chunk", [64, 8192])
def test_it_is_what_scikit_learn_finds(features, chunk, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    rows = np.arange(0, 500, 2)
    ours, theirs = Pca.fit(features, rows, 5), PCA(5).fit(features[rows].astype(np.float64))
    signs = np.sign((ours.components * theirs.components_).sum(axis=1))
    np.testing.assert_allclose(ours.components * signs[:, None], theirs.components_, atol=1e-5)
    np.testing.assert_allclose(ours(features) * signs, theirs.transform(features), atol=2e-3)
    np.testing.assert_allclose(ours(features[rows]).mean(axis=0), 0, atol=1e-3)


def test_nothing_is_whitened(features):
    spread = Pca.fit(features, np.arange(500), 5)(features).std(axis=0)
    assert np.all(np.diff(spread) < 0)
    assert spread[0] > 2 * spread[-1]


def test_signs_are_always_the_same(features):
    components = Pca.fit(features, np.arange(500), 12).components
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1)[:, None], axis=1)
    assert np.all(largest > 0)


def test_it_comes_back(features, tmp_path):
    assert Pca.load(tmp_path) is None
    pca = Pca.fit(features, np.arange(500), 5)
    pca.save(tmp_path)
    back = Pca.load(tmp_path)
    assert np.array_equal(back(features), pca(features))


def test_half_types_are_summed_in_double(features):
    exact = Pca.fit(features, np.arange(500), 3)
    half = Pca.fit(features.astype(np.float16), np.arange(500), 3)
    np.testing.assert_allclose(half.mean, exact.mean, rtol=1e-3)

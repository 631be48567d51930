"""Maps: the same for the same features, and one for several checkpoints."""

import importlib.util

import numpy as np
import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.drawing import tsne_map
from protoclip_cli.drawing.tsne_map import KeptMap, make_map


@pytest.fixture(params=["sklearn", "openTSNE"])
def maker(request, monkeypatch):
    if request.param == "openTSNE":
        pytest.importorskip("openTSNE")
    monkeypatch.setattr(tsne_map, "has_opentsne", lambda: request.param == "openTSNE")


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(36, 6)).astype(np.float32)
    rows[:18] += 4
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.usefixtures("maker")
def test_a_map_is_the_same_for_the_same_features_and_tells_groups_apart(features):
    first, second = (make_map(features, 5.0, 0) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    middles = first[:18].mean(axis=0), first[18:].mean(axis=0)
    assert np.linalg.norm(middles[0] - middles[1]) > first[:18].std(axis=0).max()


@pytest.mark.usefixtures("maker")
def test_later_features_are_drawn_in_the_kept_map(features, tmp_path):
    KeptMap(features, places := make_map(features, 5.0, 0), 5.0).save(tmp_path / "map.npz")
    kept = KeptMap.load(tmp_path / "map.npz")
    moved = features + 0.01 * np.random.default_rng(1).normal(size=features.shape).astype(np.float32)
    later = make_map(moved, 5.0, 0, kept)
    size = np.linalg.norm(places - places.mean(axis=0), axis=1).mean()
    assert np.linalg.norm(later - places, axis=1).mean() < 0.5 * size


def test_a_map_of_other_rows_is_refused(features):
    kept = KeptMap(features, np.zeros((36, 2), np.float32), 5.0)
    with pytest.raises(DataError, match="36 features of width 6, and these are 20"):
        make_map(features[:20], 5.0, 0, kept)


@pytest.mark.parametrize("content", [b"", b"no map", b"PK\x03\x04 cut"])
def test_a_damaged_map_is_refused(tmp_path, content):
    (tmp_path / "map.npz").write_bytes(content)
    with pytest.raises(DataError, match="map"):
        KeptMap.load(tmp_path / "map.npz")


def test_the_fallback_is_known():
    assert tsne_map.has_opentsne() == (importlib.util.find_spec("openTSNE") is not None)

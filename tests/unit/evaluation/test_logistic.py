import numpy as np
import pytest

from protoclip_cli.evaluation import logistic
from protoclip_cli.evaluation.logistic import Scaling, fit_best, hold_out


def made(n=400, classes=5, width=12, seed=0, spread=1.0):
    rng = np.random.default_rng(seed)
    centres = 2 * np.random.default_rng(7).normal(size=(classes, width))
    labels = rng.integers(0, classes, n)
    return (centres[labels] + spread * rng.normal(size=(n, width))).astype(np.float32), labels


def test_it_finds_classes_that_a_plane_can_part():
    notes = []
    predict, _ = fit_best(*made(), 0, notes.append)
    features, labels = made(seed=1)
    assert (predict(features) == labels).mean() > 0.97
    assert notes == []


def test_scale_and_offset_of_the_features_do_not_matter():
    features, labels = made(spread=3.0)
    other, _ = made(seed=1, spread=3.0)
    predict, c = fit_best(features, labels, 0, print)
    predict_moved, c_moved = fit_best(1024 * features + 4096, labels, 0, print)
    assert c == c_moved
    assert (predict(other) == predict_moved(1024 * other + 4096)).mean() > 0.99


def test_noise_asks_for_more_regularisation_than_signal():
    rng = np.random.default_rng(0)
    signal, labels = made(2_000)
    noisy = np.concatenate(
        [signal + 4 * rng.normal(size=signal.shape), rng.normal(size=(2_000, 200))], axis=1
    )
    _, c = fit_best(noisy.astype(np.float32), labels, 0, print)
    assert c <= 0.01


def test_fine_distinctions_ask_for_less():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 20, 1_000)
    fine = np.stack([labels, rng.normal(0, 8, 1_000), labels**2 / 20], axis=1) + rng.normal(
        0, 0.2, (1_000, 3)
    )
    _, c = fit_best(fine.astype(np.float32), labels, 0, print)
    assert c >= 1


def test_the_seed_alone_decides_what_is_held_out():
    labels = np.random.default_rng(0).integers(0, 4, 200)
    assert all(
        np.array_equal(a, b) for a, b in zip(hold_out(labels, 0.2, 3), hold_out(labels, 0.2, 3), strict=True)
    )
    assert not np.array_equal(hold_out(labels, 0.2, 3)[1], hold_out(labels, 0.2, 4)[1])


@pytest.mark.parametrize("rows", [None, 60])
def test_every_class_is_divided_alike(rows):
    labels = np.repeat([0, 1, 2, 3], [100, 50, 10, 1])
    fit, held = hold_out(labels, 0.2, 0, rows)
    assert not set(fit) & set(held)
    counts, held_counts = np.bincount(labels[fit], minlength=4), np.bincount(labels[held], minlength=4)
    if rows is None:
        assert held_counts.tolist() == [20, 10, 2, 0]
        assert counts.tolist() == [80, 40, 8, 1]
    assert (counts > 0).all()
    assert held_counts[3] == 0  # its only row is to learn from


def test_a_dead_dimension_stays_at_zero():
    features = np.array([[1.0, 5.0], [3.0, 5.0]], np.float32)
    assert Scaling.of(features)(features).tolist() == [[-1, 0], [1, 0]]


def test_a_fit_that_stops_early_is_told_once_and_is_no_warning(monkeypatch):
    monkeypatch.setattr(logistic, "_ITERATIONS", 2)
    notes = []
    fit_best(*made(), 0, notes.append)
    assert len(notes) == 2
    assert "search C = 0.001, 0.01" in notes[0]
    assert "final fit" in notes[1]

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from protoclip_cli.metrics.average_precision import average_precision, mean_average_precision

SCORES = np.array([[0.9], [0.8], [0.7], [0.6]])
TARGETS = np.array([[-1], [1], [0], [1]], np.int8)


@pytest.mark.parametrize(
    ("difficult", "value"),
    [("ignore", (1 + 2 / 3) / 2), ("positive", (1 + 1 + 3 / 4) / 3), ("negative", (1 / 2 + 2 / 4) / 2)],
)
def test_a_difficult_object_is_left_out_found_or_not_found(difficult, value):
    assert mean_average_precision(SCORES, TARGETS, "full", difficult) == pytest.approx(value)


def test_equal_scores_are_taken_together_as_scikit_learn_does():
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 5, 60).astype(float), rng.random(60) < 0.3
    assert average_precision(scores, positive) == pytest.approx(average_precision_score(positive, scores))
    assert average_precision(scores, positive, "clip_benchmark") != average_precision(scores, positive)


def test_a_recall_that_is_reached_exactly_counts():
    """Ten positives first: every level is reached at precision 1, 3 / 10 and 7 / 10 too."""
    positive = np.arange(20) < 10
    assert average_precision(-np.arange(20.0), positive, "voc07") == 1.0
    broken = positive.copy()
    broken[[3, 10]] = broken[[10, 3]]
    expected = (4 + 7 * 10 / 11) / 11  # levels 0 to 0.3 are reached before the mistake
    assert average_precision(-np.arange(20.0), broken, "voc07") == pytest.approx(expected)


def test_classes_without_a_positive_are_left_out_or_score_nothing():
    scores, targets = np.eye(2), np.array([[1, 0], [0, 0]], np.int8)
    assert mean_average_precision(scores, targets) == 1.0
    assert mean_average_precision(scores, targets, "clip_benchmark") == 0.5
    assert np.isnan(mean_average_precision(scores, 0 * targets))

import numpy as np
import pytest

from protoclip_cli.metrics.classification import (
    hits_per_class,
    mean_per_class_recall,
    zero_shot_classifier,
)


def test_every_prompt_counts_alike_whatever_its_length():
    prompts = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, -3.0], [0.0, -1.0]]])
    longer = prompts * np.array([[[100.0], [1.0]], [[1.0], [7.0]]])
    expected = [[0.5**0.5, 0.5**0.5], [0.0, -1.0]]
    assert zero_shot_classifier(prompts) == pytest.approx(np.array(expected))
    assert zero_shot_classifier(longer) == pytest.approx(np.array(expected))


def test_classes_without_images_are_left_out_of_the_mean():
    labels = np.array([0, 0, 0, 0, 9])
    correct = np.array([True, True, True, False, False])
    assert mean_per_class_recall(correct, labels) == pytest.approx((0.75 + 0) / 2)
    hits, sizes = hits_per_class(correct, labels)
    assert (hits.tolist(), sizes.tolist()) == ([3, 0], [4, 1])

import numpy as np
import pytest

from protoclip_cli.core.errors import DataError, ProtoclipError
from protoclip_cli.data.benchmarks.base import Benchmark, Labelled
from protoclip_cli.evaluation.judging import class_count, judge, misfit, primary


def labelled(labels=(), targets=None):
    count = len(labels) if targets is None else len(targets)
    labels = np.array(labels, np.int64) if targets is None else np.full(count, -1)
    return Labelled(None, np.arange(count), labels, targets)


def judged(scores, truth, metric="top1"):
    return {one.metric: one for one in judge(np.asarray(scores, float), truth, metric, 0)}


def test_one_label_gives_accuracies_and_two_classes_an_area_where_the_benchmark_has_it():
    scores, truth = [[0, 1], [2, 1], [0, 3], [0, 2]], labelled([1, 0, 1, 0])
    assert set(judged(scores, truth)) == {"top1", "mean_per_class"}
    found = judged(scores, truth, "roc_auc")
    assert found["roc_auc"].value == 0.75
    assert found["top1"].value == 0.75


def test_an_area_needs_both_classes():
    with pytest.raises(DataError, match="both classes"):
        judged([[0, 1], [0, 1]], labelled([1, 1]), "roc_auc")


def test_several_labels_give_mean_average_precisions():
    rng = np.random.default_rng(0)
    targets = rng.integers(-1, 2, (60, 4)).astype(np.int8)
    scores = targets + rng.normal(size=(60, 4))
    found = judged(scores, labelled(targets=targets), "map11")
    assert set(found) == {"map", "map11", "map11_elevater"}
    assert len({round(one.value, 6) for one in found.values()}) == 3
    for one in found.values():
        assert one.ci95[0] < one.value <= one.ci95[1] <= 1
    assert primary(scores, labelled(targets=targets), "map11") == found["map11"].value


def test_images_of_nothing_are_an_error():
    with pytest.raises(DataError, match="no class has a positive"):
        judged(np.ones((5, 2)), labelled(targets=np.zeros((5, 2), np.int8)))


def test_scores_that_are_no_numbers_are_an_error_and_a_failed_training():
    scores = np.array([[np.nan, 0.0], [1.0, 0.0]])
    with pytest.raises(ProtoclipError, match="not numbers"):
        judged(scores, labelled([0, 1]))
    assert primary(scores, labelled([0, 1]), "top1") == 0


@pytest.mark.parametrize(("metric", "value"), [("top1", 0.75), ("mean_per_class", 0.5), ("roc_auc", 1.0)])
def test_settings_are_chosen_by_the_metric_of_the_benchmark(metric, value):
    scores = np.array([[3.0, 0.0], [3.0, 0.0], [3.0, 0.0], [2.0, 0.0]])
    assert primary(scores, labelled([0, 0, 0, 1]), metric) == value


def test_labels_without_a_name_do_not_fit():
    benchmark = Benchmark("b", "test", classes=("a", "b"), test=labelled([0, 2]))
    assert misfit(benchmark, benchmark.test) == "has labels of 3 classes, but 2 class names"
    assert misfit(benchmark, labelled([0, 0])) is None
    assert class_count(benchmark) == 3
    assert misfit(benchmark, labelled(targets=np.zeros((1, 1), np.int8))) is not None

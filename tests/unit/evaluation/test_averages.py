import pytest

from protoclip_cli.evaluation.averages import averages
from protoclip_cli.evaluation.score import Score


def score(benchmark, value, probe="zero_shot", metric="top1", selection="none"):
    return Score(
        probe=probe,
        benchmark=benchmark,
        split="test",
        metric=metric,
        value=value,
        n=10,
        model_hash="m",
        transform="t",
        precision="fp32",
        seed=0,
        selection=selection,
        seconds=0.1,
    )


def test_only_benchmarks_that_all_models_have_are_averaged():
    one = [score("a", 0.5), score("b", 0.7), score("c", 1.0), score("a", 0.3, metric="top5")]
    other = [score("c", 0.2), score("a", 0.1), score("d", 0.9), score("b", 0.1, metric="top5")]
    (mean,) = averages({"one": one, "other": other})
    assert (mean.probe, mean.metric, mean.benchmarks) == ("zero_shot", "top1", ("a", "c"))
    assert mean.values == pytest.approx({"one": 0.75, "other": 0.15})


def test_one_benchmark_is_no_average_and_what_was_chosen_on_test_is_apart():
    assert averages({}) == []
    assert averages({"one": [score("a", 0.5)]}) == []
    assert averages({"one": [score("a", 0.5, selection="test"), score("b", 0.5, selection="none")]}) == []

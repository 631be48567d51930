import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.evaluation.effective_robustness import effective_robustness, read_trends
from protoclip_cli.evaluation.score import Score


def score(benchmark, value, **more):
    fields = {"split": "test", "n": 4, "model_hash": "m", "transform": "t", "precision": "fp32", "seed": 0}
    fields |= {"probe": "zero_shot", "metric": "top1", "seconds": 0.0, "ci95": (value - 0.1, value + 0.1)}
    return Score(benchmark=benchmark, value=value, **(fields | more))


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "reference.csv"
    path.write_text("model,imagenet,imagenet_a,objectnet\na,0.5,0.2,\nb,0.8,0.5,0.4\n")
    return path


def test_what_is_above_the_line_of_the_reference_models(table):
    trends = read_trends(table)
    assert list(trends) == ["imagenet_a"]  # one model is no line
    found = list(effective_robustness([score("imagenet", 0.8), score("imagenet_a", 0.6)], trends))
    assert [(s.benchmark, s.metric) for s in found] == [("imagenet_a", "effective_robustness")]
    assert found[0].value == pytest.approx(0.1)
    assert found[0].ci95 == pytest.approx((0.0, 0.2))


def test_only_models_with_a_reference_score_have_one(table):
    trends = read_trends(table)
    other = score("imagenet_a", 0.6, model_hash="other")
    assert list(effective_robustness([score("imagenet", 0.8), other], trends)) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "needs a column"),
        ("model,objectnet\na,0.5\n", "needs a column `imagenet`"),
        ("model,imagenet,objectnet\na,50 %,0.5\n", "no number"),
        ("model,imagenet,objectnet\na,50,40\nb,60,50\n", "between 0 and 1"),
        ("model,imagenet,objectnet\na,0.5,0.4\nb,0.5,0.5\n", "two reference models"),
    ],
)
def test_a_table_that_cannot_be_used(tmp_path, text, reason):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError, match=reason):
        read_trends(tmp_path / "bad.csv")

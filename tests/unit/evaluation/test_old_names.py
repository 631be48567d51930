import csv
import io

import pytest

from protoclip_cli.evaluation.old_names import old_csv, old_name, old_table
from protoclip_cli.evaluation.score import Score


def score(probe, benchmark, metric, value=0.25, **more):
    fields = {"split": "test", "n": 4, "model_hash": "m", "transform": "t", "precision": "fp32", "seed": 0}
    return Score(probe=probe, benchmark=benchmark, metric=metric, value=value, seconds=0.0, **(fields | more))


@pytest.mark.parametrize(
    ("probe", "benchmark", "metric", "column"),
    [
        ("zero_shot", "imagenet", "top1", "imagenet-zeroshot-accuracy-top1"),
        ("zero_shot", "glyphs_lower", "top5", "glyphs_lower-zeroshot-accuracy-top5"),
        ("zero_shot", "pets", "mean_per_class", "pets-zero-shot-mean-per-class"),
        ("linear_probe", "cifar10", "top1", "cifar10-linear-eval-acc"),
        ("clustering", "cifar10", "ami", "cifar10-adjusted-mutual-info"),
        ("clustering", "cifar10", "ari", "cifar10-adjusted-rand-index"),
        ("retrieval", "coco", "image_to_text_recall@1", "image2text-R@1"),
        ("retrieval", "coco", "text_to_image_recall@10", "text2image-R@10"),
        ("retrieval", "coco", "mean_recall", "mean-recall"),
        ("knn", "cifar10", "top1", "cifar10-knn-eval-acc"),
        ("feature_statistics", "coco", "modality_gap", "modality_gap"),
        ("feature_statistics", "coco", "image_std", "image_feature_std"),
        ("sts", "sts13", "spearman", "STS13"),
        ("sts", "sts13", "spearman_mean", "sts13-sts-spearman-mean"),
        ("passage_retrieval", "msmarco", "map@100_max", "ms-marco"),
    ],
)
def test_names_of_the_originals(probe, benchmark, metric, column):
    assert old_name(score(probe, benchmark, metric)) == column


def read(scores):
    return list(csv.DictReader(io.StringIO(old_csv(scores))))


def test_one_row_per_moment_in_percent():
    rows = read(
        [
            score("zero_shot", "a", "top1", 0.1, model_hash="1", episode=0, step=10),
            score("zero_shot", "a", "top1", 0.2, model_hash="2", episode=1, step=20),
            score("linear_probe", "a", "top1", 0.3, model_hash="2", episode=1, step=20),
            score("linear_probe", "a", "top1", 0.4, model_hash="2", episode=1, step=20),
        ]
    )
    assert rows == [
        {"episode": "0", "step": "10", "a-zeroshot-accuracy-top1": "10.0000", "a-linear-eval-acc": ""},
        {"episode": "1", "step": "20", "a-zeroshot-accuracy-top1": "20.0000", "a-linear-eval-acc": "40.0000"},
    ]


def test_retrieval_names_its_benchmark_when_there_are_several():
    one, two = score("retrieval", "a", "mean_recall"), score("retrieval", "b", "mean_recall")
    assert list(read([one])[0]) == ["episode", "step", "mean-recall"]
    assert list(read([one, two])[0]) == ["episode", "step", "a-mean-recall", "b-mean-recall"]


def test_the_average_of_the_ten_is_there_when_all_ten_are():
    ten = ["imagenet", "cifar10", "cifar100", "stl10", "birdsnap", "country211", "flowers102", "gtsrb"]
    ten += ["ucf101", "stanford_cars"]
    first = [
        score("zero_shot", name, "top1", place / 10, model_hash="a", step=5) for place, name in enumerate(ten)
    ]
    second = [score("zero_shot", name, "top1", 0.5, model_hash="b", step=9) for name in ten[1:]]
    columns, rows = old_table([*first, *second])
    assert columns[-1] == "zeroshot-accuracy-top1-average-of-10"
    assert [row.get(columns[-1]) for row in rows] == ["45.0000", None]
    assert columns[-1] not in old_table(second)[0]


def test_statistics_of_features_are_no_percents():
    _, rows = old_table([score("feature_statistics", "coco", "modality_gap", 0.25)])
    assert rows[0]["modality_gap"] == "0.2500"

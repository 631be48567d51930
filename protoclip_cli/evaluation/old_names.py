"""`evaluation_metrics_all.csv`: scores in the columns and percents of the original ProtoCLIP.

One row per evaluated moment of training. Nothing reads this file back: `scores.jsonl` is the record.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from protoclip_cli.evaluation.score import Score, latest

Moment = tuple[int | None, int | None]
"""Episode and step."""

_OF_BENCHMARK = {
    ("zero_shot", "top1"): "zeroshot-accuracy-top1",
    ("zero_shot", "top5"): "zeroshot-accuracy-top5",
    ("linear_probe", "top1"): "linear-eval-acc",
    ("linear_probe", "top1@backbone"): "linear-eval-acc-backbone",
    ("knn", "top1"): "knn-eval-acc",
    ("clustering", "ami"): "adjusted-mutual-info",
    ("clustering", "ari"): "adjusted-rand-index",
    ("clustering", "nmi"): "normalized-mutual-info",
}
_OF_FEATURES = {
    "image_self_similarity_protoclip": "image_avg_self_similarity",
    "text_self_similarity_protoclip": "text_avg_self_similarity",
    "modality_gap": "modality_gap",
    "image_std": "image_feature_std",
    "text_std": "text_feature_std",
}
"""Statistics of features, which the original measured on one benchmark and did not turn into percents."""
_OF_TEXTS = {
    **{(f"sts{year}", "spearman"): f"STS{year}" for year in range(12, 17)},
    ("stsbenchmark", "spearman"): "STSBenchmark",
    ("sickr", "spearman"): "SICKRelatedness",
    ("msmarco", "map@100_max"): "ms-marco",
}
"""ITRA's names of scores of texts, by benchmark and metric."""
_TEN = (
    "imagenet",
    "cifar10",
    "cifar100",
    "stl10",
    "birdsnap",
    "country211",
    "flowers102",
    "gtsrb",
    "ucf101",
    "stanford_cars",
)
"""The data sets that ProtoCLIP's papers average zero-shot accuracy over."""
_AVERAGE = "zeroshot-accuracy-top1-average-of-10"
_OF_RETRIEVAL = {"image_to_text_recall@": "image2text-R@", "text_to_image_recall@": "text2image-R@"}


def old_name(score: Score, *, prefixed: bool = False) -> str:
    """The column of a score.

    Args:
        score: the score.
        prefixed: whether a column of retrieval or of features names its benchmark. The original knew only one
            and names none.
    """
    if score.probe == "retrieval":
        name = score.metric.replace("_", "-")
        for new, old in _OF_RETRIEVAL.items():
            if score.metric.startswith(new):
                name = old + score.metric.removeprefix(new)
        return f"{score.benchmark}-{name}" if prefixed else name
    if score.probe == "feature_statistics":
        name = _OF_FEATURES.get(score.metric, score.metric)
        return f"{score.benchmark}-{name}" if prefixed else name
    if (score.benchmark, score.metric) in _OF_TEXTS:
        return _OF_TEXTS[score.benchmark, score.metric]
    ours = f"{score.probe}-{score.metric}".replace("_", "-")
    return f"{score.benchmark}-{_OF_BENCHMARK.get((score.probe, score.metric), ours)}"


def old_table(scores: Iterable[Score]) -> tuple[list[str], list[dict[str, str]]]:
    """The columns and rows of the file, in the order the scores came.

    Columns of retrieval and features name their benchmark as soon as there are several. A moment with all of
    the paper's ten data sets has their plain average, too.
    """
    scores = latest(scores)
    on: dict[str, set[str]] = {}
    for score in scores:
        on.setdefault(score.probe, set()).add(score.benchmark)
    moments: dict[Moment, dict[str, str]] = {}
    columns: dict[str, None] = {}
    for score in scores:
        column = old_name(score, prefixed=len(on[score.probe]) > 1)
        columns[column] = None
        row = moments.setdefault((score.episode, score.step), {})
        row[column] = f"{score.value * (1 if score.probe == 'feature_statistics' else 100):.4f}"
    for row in moments.values():
        ten = [row.get(f"{name}-zeroshot-accuracy-top1") for name in _TEN]
        known = [float(value) for value in ten if value is not None]
        if len(known) == len(_TEN):
            columns[_AVERAGE] = None
            row[_AVERAGE] = f"{sum(known) / len(_TEN):.4f}"
    rows = [
        {"episode": _cell(episode), "step": _cell(step)} | row for (episode, step), row in moments.items()
    ]
    return ["episode", "step", *columns], rows


def old_csv(scores: Iterable[Score]) -> str:
    """The text of the file. A number that was not measured is an empty cell."""
    columns, rows = old_table(scores)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _cell(number: int | None) -> str:
    return "" if number is None else str(number)

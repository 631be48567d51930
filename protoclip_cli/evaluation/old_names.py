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
    ("clustering", "ami"): "adjusted-mutual-info",
    ("clustering", "ari"): "adjusted-rand-index",
    ("clustering", "nmi"): "normalized-mutual-info",
}
_OF_RETRIEVAL = {"image_to_text_recall@": "image2text-R@", "text_to_image_recall@": "text2image-R@"}


def old_name(score: Score, *, prefixed: bool = False) -> str:
    """The column of a score.

    Args:
        score: the score.
        prefixed: whether a retrieval column names its benchmark. The original knew only one and names none.
    """
    if score.probe == "retrieval":
        name = score.metric.replace("_", "-")
        for new, old in _OF_RETRIEVAL.items():
            if score.metric.startswith(new):
                name = old + score.metric.removeprefix(new)
        return f"{score.benchmark}-{name}" if prefixed else name
    ours = f"{score.probe}-{score.metric}".replace("_", "-")
    return f"{score.benchmark}-{_OF_BENCHMARK.get((score.probe, score.metric), ours)}"


def old_table(scores: Iterable[Score]) -> tuple[list[str], list[dict[str, str]]]:
    """The columns and rows of the file, in the order the scores came.

    Retrieval columns name their benchmark as soon as there are several.
    """
    scores = latest(scores)
    prefixed = len({score.benchmark for score in scores if score.probe == "retrieval"}) > 1
    moments: dict[Moment, dict[str, str]] = {}
    columns: dict[str, None] = {}
    for score in scores:
        column = old_name(score, prefixed=prefixed)
        columns[column] = None
        row = moments.setdefault((score.episode, score.step), {})
        row[column] = f"{100 * score.value:.4f}"
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

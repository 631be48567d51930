"""Effective robustness: ImageNet against its shifted relatives, with reference models of the user."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from protoclip_cli.core.errors import DataError
from protoclip_cli.evaluation.score import Score
from protoclip_cli.metrics.robustness import Trend, fit_trend

SHIFTED = ("imagenetv2", "imagenet-a", "imagenet-r", "imagenet_sketch", "objectnet")


def read_reference(path: Path, reference: str = "imagenet") -> dict[str, list[tuple[float, float]]]:
    """The accuracies of reference models, without a shift and with it, by shifted benchmark.

    Args:
        path: a CSV with columns `model`, the reference, and each shifted benchmark: accuracies
            as fractions. Empty cells are left out.
        reference: the benchmark without shift.

    Raises:
        DataError: the table cannot be used.
    """
    try:
        with path.expanduser().open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="give a CSV of reference models") from error
    names = [name for name in (rows[0] if rows else {}) if name not in {"model", reference}]
    if not rows or reference not in rows[0] or not names:
        raise DataError(
            f"{path} needs a column `{reference}` and one for each shifted benchmark",
            hint=f"begin it with model,{reference},{','.join(SHIFTED)}",
        )
    try:
        return {
            name: [(float(row[reference]), float(row[name])) for row in rows if row[reference] and row[name]]
            for name in names
        }
    except (TypeError, ValueError) as error:
        raise DataError(f"{path} has a cell that is no number: {error}") from error


def read_trends(path: Path, reference: str = "imagenet") -> dict[str, Trend]:
    """The trend of every shifted benchmark that two reference models or more have, see `read_reference`.

    Raises:
        DataError: the table cannot be used.
    """
    pairs = read_reference(path, reference)
    return {name: fit_trend(*zip(*found, strict=True)) for name, found in pairs.items() if len(found) > 1}


def effective_robustness(
    scores: Iterable[Score], trends: dict[str, Trend], reference: str = "imagenet"
) -> Iterator[Score]:
    """One score more of every shifted benchmark, for probes and models that have one of the reference.

    Args:
        scores: with metric `top1`.
        trends: of the shifted benchmarks, from `read_trends`.
        reference: the benchmark without shift.

    Yields:
        Scores with metric `effective_robustness`. Their interval is that of the shifted accuracy.
    """
    top1 = {(s.probe, s.model_hash, s.benchmark): s for s in scores if s.metric == "top1"}
    for (probe, model, benchmark), score in top1.items():
        own = top1.get((probe, model, reference))
        if own is None or benchmark not in trends or not 0 < own.value < 1:
            continue
        expected = trends[benchmark].expected(own.value)
        interval = None if score.ci95 is None else (score.ci95[0] - expected, score.ci95[1] - expected)
        yield replace(score, metric="effective_robustness", value=score.value - expected, ci95=interval)

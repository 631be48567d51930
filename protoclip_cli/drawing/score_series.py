"""Scores in the order of training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.drawing.records import Records
from protoclip_cli.store.lines import Row

Name = tuple[str, str, str]
"""Probe, benchmark and metric."""
_FIRST = ("top1", "mean_per_class", "roc_auc", "mean_recall", "ami", "spearman", "loss")
"""Of a probe's metrics, the one to show."""


@dataclass(frozen=True, slots=True)
class Series:
    """One score of one run at several checkpoints."""

    samples: NDArray[np.float64]
    """(n,), seen in training until then, rising."""
    values: NDArray[np.float64]
    """(n,)."""
    low: NDArray[np.float64]
    """(n,), the lower end of the 95 % interval; the value itself where there is none."""
    high: NDArray[np.float64]
    higher_is_better: bool


def series_of(record: Records) -> dict[Name, Series]:
    """All scores of a run that know their place in training. Of several seeds at one step the mean."""
    found: dict[Name, dict[int, list[Row]]] = {}
    for row in record.scores:
        if isinstance(row.get("step"), int):
            name = (str(row["probe"]), str(row["benchmark"]), str(row["metric"]))
            found.setdefault(name, {}).setdefault(row["step"], []).append(row)
    return {name: _series(steps, record.batch) for name, steps in found.items()}


def main_scores(names: Iterable[Name]) -> list[Name]:
    """Of each probe and benchmark the score that says most.

    >>> main_scores([("zero_shot", "digits", "top5"), ("zero_shot", "digits", "top1")])
    [('zero_shot', 'digits', 'top1')]
    """
    by_task: dict[tuple[str, str], list[str]] = {}
    for probe, benchmark, metric in names:
        by_task.setdefault((probe, benchmark), []).append(metric)
    return [(*task, _main(metrics)) for task, metrics in by_task.items()]


def _main(metrics: Sequence[str]) -> str:
    plain = [metric for metric in metrics if "@" not in metric] or list(metrics)
    return next((metric for metric in _FIRST if metric in plain), plain[0])


def _series(steps: dict[int, list[Row]], batch: int) -> Series:
    places = sorted(steps)
    rows = [steps[step] for step in places]
    values = np.array([np.mean([row["value"] for row in some]) for some in rows])
    bounds = np.array([_bounds(some, value) for some, value in zip(rows, values, strict=True)])
    better = bool(rows[-1][-1].get("higher_is_better", True))
    return Series(np.array(places, np.float64) * batch, values, bounds[:, 0], bounds[:, 1], better)


def _bounds(rows: Sequence[Row], value: float) -> tuple[float, float]:
    interval = rows[0].get("ci95") if len(rows) == 1 else None
    return (float(interval[0]), float(interval[1])) if interval else (float(value), float(value))

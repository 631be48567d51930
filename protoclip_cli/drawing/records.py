"""What a run wrote down, as pictures read it: text files, never checkpoints."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from protoclip_cli.store.lines import Row, read_lines
from protoclip_cli.store.run import RunFolder

_SCORE = ("probe", "benchmark", "metric", "value")


@dataclass(frozen=True, slots=True)
class Records:
    """The text files of a run. A last line that was cut off, or is not yet whole, is left out."""

    name: str
    metrics: Sequence[Row]
    """What each step measured, in the order of steps."""
    scores: Sequence[Row]
    """Rows of `scores.jsonl`; of equal ones the last."""
    batch: int
    """Samples of a step; 1 if the recipe does not say."""

    @classmethod
    def read(cls, run: Path) -> Records:
        """Read what is there: a run that has just begun has little."""
        folder = RunFolder(run)
        steps = {row["step"]: row for row in read_lines(folder.metrics) if isinstance(row.get("step"), int)}
        return cls(
            run.resolve().name,
            [steps[step] for step in sorted(steps)],
            list(_latest(read_lines(folder.scores))),
            _batch(folder.recipe),
        )

    def column(self, name: str) -> NDArray[np.float64]:
        """(steps,), a metric; NaN where it was not measured or not finite."""
        return np.array([_number(row.get(name)) for row in self.metrics], np.float64)

    @property
    def metric_names(self) -> list[str]:
        """All metrics with at least one number, in the order of their appearance."""
        seen = dict.fromkeys(key for row in self.metrics for key in row)
        return [
            name for name in seen if name not in {"step", "episode"} and np.isfinite(self.column(name)).any()
        ]

    @property
    def not_finite(self) -> int:
        """How many values of metrics are NaN or infinite: training writes them as null."""
        return sum(not math.isfinite(_number(value)) for row in self.metrics for value in row.values())


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _latest(rows: Iterable[Row]) -> Iterable[Row]:
    """Scores with a finite value and a place in training."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        if all(key in row for key in _SCORE) and math.isfinite(_number(row["value"])):
            what = (row["probe"], row["benchmark"], row.get("split"), row["metric"])
            found[(*what, row.get("selection"), row.get("seed"), row.get("model_hash"), row.get("step"))] = (
                row
            )
    return found.values()


def _batch(recipe: Path) -> int:
    try:
        return int(yaml.safe_load(recipe.read_text("utf-8"))["batch"]["size"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError):
        return 1

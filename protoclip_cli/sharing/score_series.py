"""The scores of a run: of each kind of score, a value for each step that was evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from protoclip_cli.sharing.text_files import number
from protoclip_cli.store.lines import Row

_VERSION = 1
_OF_FEATURES = "feature_statistics"


class ScoreKey(NamedTuple):
    """What a score is of."""

    probe: str
    benchmark: str
    split: str
    metric: str
    selection: str

    @property
    def is_share(self) -> bool:
        """Whether people read it in percent.

        >>> ScoreKey("zero_shot", "digits", "all", "top1", "none").is_share
        True
        """
        return self.probe != _OF_FEATURES and not any(word in self.metric for word in ("loss", "rank"))


@dataclass(frozen=True, slots=True)
class ScoreSeries:
    """One kind of score of one run."""

    values: Mapping[int, float]
    """By step, in rising order; the mean where a step was evaluated with several seeds."""
    higher_is_better: bool
    ci95: tuple[float, float] | None
    """Of the last value, over examples; None where it is a mean, or not known."""
    identity: tuple[object, ...] | None = None
    """Of the row of the last value; None where it is a mean."""

    @property
    def last_step(self) -> int:
        """The last step that was evaluated."""
        return max(self.values)

    @property
    def final(self) -> float:
        """The value of the last step."""
        return self.values[self.last_step]

    @property
    def best_step(self) -> int:
        """The first step of the best value."""
        sign = -1 if self.higher_is_better else 1
        return min(self.values, key=lambda step: (sign * self.values[step], step))

    @property
    def best(self) -> float:
        """The best value. Chosen by looking at the very scores, so it flatters."""
        return self.values[self.best_step]


def series_of(rows: Iterable[Row]) -> tuple[dict[ScoreKey, ScoreSeries], int]:
    """The scores in rows of `scores.jsonl`. Of rows with the same identity the last one wins.

    Returns:
        The series, in the order in which they first came; and how many rows are no scores.
    """
    found: dict[ScoreKey, dict[int, dict[object, Row]]] = {}
    unusable = 0
    for row in rows:
        if row.get("v") != _VERSION or number(row.get("value")) is None:
            unusable += 1
            continue
        key = ScoreKey(*(str(row.get(name, "")) for name in ScoreKey._fields))
        step = int(number(row.get("step")) or 0)
        found.setdefault(key, {}).setdefault(step, {})[str(row.get("seed"))] = row
    return {key: _series(steps) for key, steps in found.items()}, unusable


def _series(steps: Mapping[int, Mapping[object, Row]]) -> ScoreSeries:
    values = {}
    for step in sorted(steps):
        of_seeds = [float(row["value"]) for row in steps[step].values()]
        values[step] = sum(of_seeds) / len(of_seeds)
    last = list(steps[max(steps)].values())
    interval, identity = (_interval(last[0]), _identity(last[0])) if len(last) == 1 else (None, None)
    return ScoreSeries(values, last[-1].get("higher_is_better") is not False, interval, identity)


def _identity(row: Row) -> tuple[object, ...]:
    """As `Score.identity`: what the file of its outcomes is named after."""
    keys = ("probe", "benchmark", "split", "metric", "model_hash", "selection", "seed")
    return tuple(row.get(key) for key in keys)


def _interval(row: Row) -> tuple[float, float] | None:
    bounds = row.get("ci95")
    if not isinstance(bounds, list) or len(bounds) != 2:
        return None
    low, high = map(number, bounds)
    return None if low is None or high is None else (low, high)

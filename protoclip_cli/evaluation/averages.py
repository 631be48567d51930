"""Averages over benchmarks, comparable between models: only over those that all of them have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protoclip_cli.evaluation.score import Score


@dataclass(frozen=True, slots=True)
class Average:
    """The plain mean of a metric over benchmarks, for each model."""

    probe: str
    metric: str
    benchmarks: tuple[str, ...]
    values: Mapping[str, float]
    """By the name of the model."""


def averages(scores: Mapping[str, Sequence[Score]]) -> list[Average]:
    """Averages of every probe's metrics that at least two benchmarks have for all models.

    Args:
        scores: by the name of the model.

    Returns:
        In the order in which the first model's scores came.
    """
    tables = {name: {_key(score): score.value for score in found} for name, found in scores.items()}
    if not tables:
        return []
    first, *others = tables.values()
    shared = [key for key in first if all(key in other for other in others)]
    groups: dict[tuple[str, str, str], list[_Key]] = {}
    for key in shared:
        groups.setdefault((key[0], key[2], key[3]), []).append(key)
    return [
        Average(
            probe,
            metric,
            tuple(benchmark for _, benchmark, _, _ in keys),
            {name: sum(table[key] for key in keys) / len(keys) for name, table in tables.items()},
        )
        for (probe, metric, _), keys in groups.items()
        if len(keys) > 1
    ]


_Key = tuple[str, str, str, str]


def _key(score: Score) -> _Key:
    return score.probe, score.benchmark, score.metric, score.selection

"""Curves of runs: what steps measured, thinned to what a chart can show, and scores against samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from protoclip_cli.sharing.grouping import Group
from protoclip_cli.sharing.run_record import RunRecord
from protoclip_cli.sharing.score_series import ScoreKey
from protoclip_cli.sharing.text_files import number, read_sample
from protoclip_cli.store.lines import Row

_POINTS = 120
_SAMPLED_ROWS = 4_000
_NOT_A_CURVE = frozenset({"step", "episode", "text_lr"})
_FIRST = ("loss", "lr", "modality_gap", "grad_norm", "image_std", "text_std")
_MOST_CHARTS = 24


@dataclass(frozen=True, slots=True)
class Curve:
    """One run's line in a chart."""

    label: str
    group: int
    """The place of its group, which is its colour."""
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves of the same thing."""

    title: str
    across: str
    """What the horizontal axis counts."""
    curves: tuple[Curve, ...]
    not_finite: int = 0
    """Steps left out, because what they measured is no finite number."""


def training_charts(groups: Sequence[Group], most_runs: int) -> tuple[list[Chart], list[str]]:
    """A chart for everything that steps measured.

    Args:
        groups: of runs.
        most_runs: how many runs are drawn, evenly of all groups.

    Returns:
        The charts, and what of the drawn runs could not be read.
    """
    found = [
        (place, run, read_sample(run.path / "metrics.jsonl", _SAMPLED_ROWS))
        for place, run in _drawn(groups, most_runs)
    ]
    problems = [f"{run.label}: metrics.jsonl: {lines.bad} bad lines" for _, run, lines in found if lines.bad]
    rows = [(place, run, lines.rows) for place, run, lines in found]
    names = dict.fromkeys(name for _, _, inner in rows for row in inner[:1] + inner[-1:] for name in row)
    wanted = [name for name in _FIRST if name in names]
    wanted += [name for name in names if name not in _NOT_A_CURVE and name not in wanted]
    charts = [_chart(name, rows) for name in wanted[:_MOST_CHARTS]]
    return [chart for chart in charts if chart.curves], problems


def score_charts(groups: Sequence[Group], keys: Iterable[ScoreKey], most_runs: int) -> list[Chart]:
    """A chart for every score that some run has at several steps, against samples."""
    runs, charts = _drawn(groups, most_runs), []
    for key in keys:
        curves = []
        for place, run in runs:
            if key in run.scores and len(run.scores[key].values) > 1:
                batch = _batch(run)
                scale = 100 if key.is_share else 1
                points = [(step * batch, scale * value) for step, value in run.scores[key].values.items()]
                curves.append(Curve(run.label, place, tuple(points)))
        if curves:
            unit = ", %" if key.is_share else ""
            charts.append(Chart(f"{key.probe} {key.benchmark} {key.metric}{unit}", "samples", tuple(curves)))
    return charts[:_MOST_CHARTS]


def thinned(points: Sequence[tuple[float, float]], most: int = _POINTS) -> tuple[tuple[float, float], ...]:
    """Means of neighbours, so many that `most` points are left.

    >>> thinned([(1, 2.0), (2, 4.0), (3, 6.0)], 2)
    ((1.5, 3.0), (3.0, 6.0))
    """
    each = -(-len(points) // most) if points else 1
    parts = [points[start : start + each] for start in range(0, len(points), each)]
    return tuple((fmean(x for x, _ in part), fmean(y for _, y in part)) for part in parts)


def _drawn(groups: Sequence[Group], most: int) -> list[tuple[int, RunRecord]]:
    """The first runs of each group, group by group, until there are enough."""
    deepest = max((len(group.runs) for group in groups), default=0)
    turns = [
        (place, group.runs[turn])
        for turn in range(deepest)
        for place, group in enumerate(groups)
        if turn < len(group.runs)
    ]
    return sorted(turns[:most], key=lambda found: found[0])


def _chart(name: str, rows: Sequence[tuple[int, RunRecord, Sequence[Row]]]) -> Chart:
    curves, not_finite = [], 0
    for place, run, inner in rows:
        measured = [(number(row.get("step")), number(row.get(name))) for row in inner if name in row]
        points = [(x, y) for x, y in measured if x is not None and y is not None]
        not_finite += len(measured) - len(points)
        if points:
            curves.append(Curve(run.label, place, thinned(points)))
    return Chart(name, "step", tuple(curves), not_finite)


def _batch(run: RunRecord) -> float:
    batch = run.recipe.get("batch")
    return (number(batch.get("size")) if isinstance(batch, dict) else None) or 1.0

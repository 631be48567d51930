"""Where the lines and labels of a chart stand in an SVG that takes its colours from the page around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protoclip_cli.sharing.curves import Chart

WIDTH, HEIGHT = 360, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 10, 40
_TICKS = 4
COLOURS = 8
"""Groups beyond these have the same colours again, dashed."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    place: float
    text: str


@dataclass(frozen=True, slots=True)
class DrawnCurve:
    """A line."""

    label: str
    colour: int
    dashed: bool
    path: str
    """The points of a `polyline`."""
    end: tuple[float, float]


@dataclass(frozen=True, slots=True)
class DrawnChart:
    """A chart in units of its SVG."""

    title: str
    across: str
    not_finite: int
    curves: tuple[DrawnCurve, ...]
    horizontal: tuple[Tick, ...]
    vertical: tuple[Tick, ...]
    left: float = _LEFT
    right: float = WIDTH - _RIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM


def draw(chart: Chart) -> DrawnChart:
    """Lay a chart out.

    Args:
        chart: with at least one point.
    """
    points = [point for curve in chart.curves for point in curve.points]
    x = _Axis([x for x, _ in points], _LEFT, WIDTH - _RIGHT)
    y = _Axis([y for _, y in points], HEIGHT - _BOTTOM, _TOP)
    curves = []
    for curve in chart.curves:
        places = [(x.place(a), y.place(b)) for a, b in curve.points]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        dashed = curve.group >= COLOURS
        curves.append(DrawnCurve(curve.label, curve.group % COLOURS, dashed, path, places[-1]))
    return DrawnChart(chart.title, chart.across, chart.not_finite, tuple(curves), x.ticks(), y.ticks())


class _Axis:
    """Maps values to places, from a little below the smallest to a little above the largest."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        low, high = min(values), max(values)
        margin = 0.04 * (high - low) or 0.04 * abs(high) or 1.0
        self.low, self.high, self.begin, self.end = low - margin, high + margin, begin, end

    def place(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> tuple[Tick, ...]:
        from matplotlib.ticker import MaxNLocator

        values = MaxNLocator(_TICKS, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
        inside = [float(value) for value in values if self.low <= value <= self.high]
        return tuple(Tick(round(self.place(value), 1), tick_text(value)) for value in inside)


def tick_text(value: float) -> str:
    """A number as short as it can be.

    >>> tick_text(200000.0), tick_text(0.5), tick_text(1e-05), tick_text(0.0), tick_text(1500.0)
    ('200k', '0.5', '1e-5', '0', '1.5k')
    """
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{name}"
    if value and abs(value) < 1e-3:
        mantissa, _, exponent = f"{value:.4e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:g}" if abs(value) > 1e-12 else "0"

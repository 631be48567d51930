"""Errors of several runs over the samples they saw, both on logarithmic axes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from protoclip_cli.drawing.page import legend, panels, plain_logarithm, said_inside
from protoclip_cli.drawing.palette import GREY, dots
from protoclip_cli.drawing.pictures.base import Drawn, PictureSpec
from protoclip_cli.drawing.scene import Material, Scene
from protoclip_cli.drawing.score_series import Name, main_scores, series_of

_PANELS, _LINE = 9, 3
Point = tuple[str, float, float]
"""A run, samples, and an error or loss."""


class ScalingSpec(PictureSpec):
    """Errors of several runs over samples seen, log-log, with a power law where runs are enough."""

    kind: Literal["scaling"] = "scaling"

    made_of = frozenset({Material.SCORES})
    usual = False

    def refuses(self, scene: Scene) -> str | None:
        """See `PictureSpec`."""
        if len(scene.records) < 2:
            return "needs several runs: name them one after the other"
        if wrong := super().refuses(scene):
            return wrong
        return None if _points(scene) else "needs runs that have a score in common"

    def draw(self, scene: Scene) -> Iterator[Drawn]:
        """See `PictureSpec`."""
        found = _points(scene)
        shown = dict(list(found.items())[:_PANELS])
        if len(found) > len(shown):
            scene.note(f"scaling: {len(shown)} of {len(found)} scores are drawn")
        figure, axes = panels(len(shown))
        for axis, ((probe, benchmark, metric), points) in zip(axes, shown.items(), strict=True):
            what = metric if "loss" in metric else f"1 - {metric}"
            title = scene.letters.within(f"{probe} {benchmark}", 11, 255)
            axis.set(title=title, xlabel="samples seen", ylabel=what)
            _panel(axis, points, scene)
        yield "scaling", figure


def _points(scene: Scene) -> dict[Name, list[Point]]:
    """The last score of each run, of the scores that at least two runs have."""
    found: dict[Name, list[Point]] = {}
    for record in scene.records:
        known = series_of(record)
        for name in main_scores(known):
            series = known[name]
            if "rank" not in name[2]:
                error = 1 - series.values[-1] if series.higher_is_better else series.values[-1]
                found.setdefault(name, []).append((record.name, float(series.samples[-1]), float(error)))
    return {name: points for name, points in found.items() if len(points) > 1}


def _panel(axis: Any, points: list[Point], scene: Scene) -> None:
    good = [point for point in points if point[1] > 0 and point[2] > 0]
    if lost := len(points) - len(good):
        scene.note(f"scaling: {lost} runs have no error or no step, which a logarithm cannot show")
    if not good:
        said_inside(axis, "nothing that a logarithm can show")
        return
    for (run, samples, error), look in zip(good, dots(), strict=False):
        axis.plot([samples], [error], linestyle="none", label=scene.letters.short(run, 30), **look)
    across = np.array([point[1] for point in good])
    up = np.array([point[2] for point in good])
    if len(np.unique(across)) >= _LINE:
        slope, height = np.polyfit(np.log(across), np.log(up), 1)
        ends = np.array([across.min(), across.max()])
        axis.plot(ends, np.exp(height) * ends**slope, "--", color=GREY, label=f"~ samples^{slope:.2f}")
    axis.set(xscale="log", yscale="log")
    axis.margins(0.15)
    plain_logarithm(axis.xaxis)
    plain_logarithm(axis.yaxis)
    legend(axis, loc="upper left", bbox_to_anchor=(-0.02, -0.2), ncols=2)

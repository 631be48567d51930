"""Accuracy under a shift against accuracy without it, with the trend of other models.

Taori et al., Measuring Robustness to Natural Distribution Shifts in Image Classification, 2020.
https://arxiv.org/abs/2007.00644
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from protoclip_cli.drawing.page import legend, panels
from protoclip_cli.drawing.palette import GREY, dots
from protoclip_cli.drawing.pictures.base import Drawn, PictureSpec
from protoclip_cli.drawing.records import Records
from protoclip_cli.drawing.scene import Material, Scene

_TICKS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


class RobustnessSpec(PictureSpec):
    """Effective robustness: shifted against plain accuracy of runs, and the trend of other models."""

    kind: Literal["robustness"] = "robustness"
    probe: str = "zero_shot"
    """Whose accuracies."""
    reference: str = "imagenet"
    """The benchmark without shift."""

    made_of = frozenset({Material.SCORES, Material.TRENDS})
    usual = False

    def refuses(self, scene: Scene) -> str | None:
        """See `PictureSpec`."""
        if wrong := super().refuses(scene):
            return wrong
        if any(self._points(record, name) for record in scene.records for name in scene.trends):
            return None
        return f"needs {self.probe} accuracies on {self.reference} and on {' or '.join(scene.trends)}"

    def draw(self, scene: Scene) -> Iterator[Drawn]:
        """See `PictureSpec`."""
        names = [name for name in scene.trends if any(self._points(record, name) for record in scene.records)]
        figure, axes = panels(len(names), width=4.8, height=4.6)
        for axis, name in zip(axes, names, strict=True):
            self._panel(axis, name, scene)
        yield "robustness", figure

    def _panel(self, axis: Any, name: str, scene: Scene) -> None:
        others = np.array(scene.reference.get(name, []), np.float64).reshape(-1, 2)
        axis.plot(*logit(others).T, ".", color=GREY, label="other models")
        shown = [others]
        for record, look in zip(scene.records, dots(), strict=False):
            points = np.array(self._points(record, name), np.float64).reshape(-1, 2)
            shown.append(points)
            if len(points):
                label = scene.letters.short(record.name, 30)
                axis.plot(*logit(points).T, linestyle="none", markersize=7, label=label, **look)
        every = np.concatenate(shown)
        low, high = (float(np.clip(end, 0.005, 0.995)) for end in (every[:, 0].min(), every[:, 0].max()))
        across = 1 / (1 + np.exp(-np.linspace(logit(np.array(low)) - 0.3, logit(np.array(high)) + 0.3, 50)))
        up = np.array([scene.trends[name].expected(float(one)) for one in across])
        axis.plot(logit(across), logit(up), "--", color=GREY, linewidth=1.2, label="their trend")
        for side, values in ((axis.xaxis, every[:, 0]), (axis.yaxis, every[:, 1])):
            ends = (values.min() / 1.5, 1 - (1 - values.max()) / 1.5)
            ticks = [tick for tick in _TICKS if ends[0] <= tick <= ends[1]]
            side.set_ticks(logit(np.array(ticks)), [f"{100 * tick:g}" for tick in ticks])
        axis.set(
            title=scene.letters.within(name, 11, 265),
            xlabel=f"{scene.letters.short(self.reference, 24)}, top-1, %, logit scale",
            ylabel="shifted, top-1, %",
        )
        legend(axis, loc="upper left", bbox_to_anchor=(0, -0.16), ncols=2)

    def _points(self, record: Records, shifted: str) -> list[tuple[float, float]]:
        """Both accuracies of every model of a run that has both."""
        found: dict[str, dict[str, float]] = {}
        for row in record.scores:
            if row["probe"] == self.probe and row["metric"] == "top1" and 0 < row["value"] < 1:
                found.setdefault(str(row.get("model_hash")), {})[str(row["benchmark"])] = float(row["value"])
        both = [known for known in found.values() if {self.reference, shifted} <= known.keys()]
        return [(known[self.reference], known[shifted]) for known in both]


def logit(share: Any) -> Any:
    """ln(p / (1 - p)): the scale on which accuracies under shift lie on a line.

    >>> float(logit(np.array(0.5)))
    0.0
    """
    clipped = np.clip(share, 1e-4, 1 - 1e-4)
    return np.log(clipped / (1 - clipped))

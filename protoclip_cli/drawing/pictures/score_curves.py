"""Scores of the checkpoints of runs, over the samples they had seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from protoclip_cli.drawing.page import legend, panels, plain_counts
from protoclip_cli.drawing.palette import lines
from protoclip_cli.drawing.pictures.base import Drawn, PictureSpec
from protoclip_cli.drawing.scene import Material, Scene
from protoclip_cli.drawing.score_series import Name, Series, main_scores, series_of

_NO_PERCENT = ("loss", "rank", "tune")
_SHORT = 23


class ScoreCurvesSpec(PictureSpec):
    """Scores over the samples seen in training, a panel for each probe, from scores.jsonl."""

    kind: Literal["score_curves"] = "score_curves"
    metrics: tuple[str, ...] = ()
    """Which metrics to draw. Left out: of each probe the one that says most."""

    made_of = frozenset({Material.SCORES})

    def refuses(self, scene: Scene) -> str | None:
        """See `PictureSpec`."""
        if wrong := super().refuses(scene):
            return wrong
        return None if self._panels(scene) else "needs scores of checkpoints, and those there know no step"

    def draw(self, scene: Scene) -> Iterator[Drawn]:
        """See `PictureSpec`."""
        found = self._panels(scene)
        figure, axes = panels(len(found))
        for axis, ((probe, metric), curves) in zip(axes, found.items(), strict=True):
            percent = not any(word in metric for word in _NO_PERCENT)
            for (label, series), look in zip(curves, lines(), strict=False):
                _curve(axis, series, scene.letters.short(label, _SHORT), look, 100 if percent else 1)
            better = "" if curves[0][1].higher_is_better else ", lower is better"
            axis.set(
                title=scene.letters.within(f"{probe}: {metric}{better}", 11, 255),
                xlabel="samples seen",
                ylabel="%" if percent else "",
            )
            plain_counts(axis.xaxis)
            legend(axis, loc="upper left", bbox_to_anchor=(-0.02, -0.2), ncols=2, handlelength=2.6)
        yield "score_curves", figure

    def _panels(self, scene: Scene) -> dict[tuple[str, str], list[tuple[str, Series]]]:
        """Curves with their names, by probe and metric."""
        found: dict[tuple[str, str], list[tuple[str, Series]]] = {}
        for record in scene.records:
            known = series_of(record)
            for name in self._chosen(known):
                probe, benchmark, metric = name
                label = benchmark if len(scene.records) == 1 else f"{record.name} {benchmark}"
                found.setdefault((probe, metric), []).append((label, known[name]))
        return found

    def _chosen(self, known: dict[Name, Series]) -> list[Name]:
        return [name for name in known if name[2] in self.metrics] if self.metrics else main_scores(known)


def _curve(axis: Any, series: Series, label: str, look: dict[str, str], times: float) -> None:
    values, colour = series.values * times, look["color"]
    axis.plot(series.samples, values, marker="o", markersize=3.5, linewidth=1.5, label=label, **look)
    if len(values) > 1:
        axis.fill_between(
            series.samples, series.low * times, series.high * times, color=colour, alpha=0.1, lw=0
        )
    else:
        ends = [[values[0] - series.low[0] * times], [series.high[0] * times - values[0]]]
        axis.errorbar(
            series.samples, values, yerr=[[max(0.0, end[0])] for end in ends], color=colour, capsize=3
        )

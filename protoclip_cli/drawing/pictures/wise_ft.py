"""Accuracy on the way from a model to the same model after fine-tuning.

Wortsman et al., Robust Fine-tuning of Zero-shot Models, 2022. https://arxiv.org/abs/2109.01903
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from protoclip_cli.drawing.page import legend, panels
from protoclip_cli.drawing.palette import COLOURS, lines
from protoclip_cli.drawing.pictures.base import Drawn, PictureSpec
from protoclip_cli.drawing.scene import Material, Scene
from protoclip_cli.store.lines import Row

_MARK = "@alpha="
Curve = dict[float, float]
"""Accuracy by alpha."""


class WiseFtSpec(PictureSpec):
    """WiSE-FT: accuracy over the share of the fine-tuned weights, and shifted against plain accuracy."""

    kind: Literal["wise_ft"] = "wise_ft"
    reference: str | None = None
    """The benchmark without shift. Left out: the first."""

    made_of = frozenset({Material.SCORES})
    usual = False

    def refuses(self, scene: Scene) -> str | None:
        """See `PictureSpec`."""
        if wrong := super().refuses(scene):
            return wrong
        found = _curves(scene.records[0].scores)
        if not found:
            return "needs scores of weights in between, such as top1@alpha=0.5: give --before MODEL"
        if self.reference is not None and self.reference not in found:
            return f"has no scores of {self.reference}, only of {', '.join(found)}"
        return None

    def draw(self, scene: Scene) -> Iterator[Drawn]:
        """See `PictureSpec`."""
        found = _curves(scene.records[0].scores)
        reference = self.reference or next(iter(found))
        shifted = [name for name in found if name != reference]
        figure, axes = panels(2 if shifted else 1, width=5.4, height=4.4, most=2)
        for (name, curve), look in zip(found.items(), lines(), strict=False):
            alphas = sorted(curve)
            percent = [100 * curve[alpha] for alpha in alphas]
            axes[0].plot(
                alphas, percent, marker="o", markersize=4, label=scene.letters.short(name, 30), **look
            )
        axes[0].set(
            title="Between both models", xlabel="share of the fine-tuned weights (alpha)", ylabel="top-1, %"
        )
        legend(axes[0], loc="upper left", bbox_to_anchor=(0, -0.15), ncols=2)
        if shifted:
            both = sorted(set(found[reference]).intersection(*(found[name] for name in shifted)))
            across = [100 * found[reference][alpha] for alpha in both]
            up = [100 * float(np.mean([found[name][alpha] for name in shifted])) for alpha in both]
            axes[1].plot(across, up, color=COLOURS[0], marker="o", markersize=4)
            ends = {both[0], both[-1]} if both else set()
            for alpha, x, y in zip(both, across, up, strict=True):
                if alpha in ends:
                    said = f"alpha = {alpha:g}"
                    axes[1].annotate(said, (x, y), xytext=(6, 6), textcoords="offset points", size=8)
            label = scene.letters.short(reference, 30)
            mean = "" if len(shifted) == 1 else f"mean of {len(shifted)} "
            axes[1].set(
                title="Under shift against without",
                xlabel=f"{label}, top-1, %",
                ylabel=f"{mean}shifted, top-1, %",
            )
            axes[1].margins(0.18)
        yield "wise_ft", figure


def _curves(scores: Sequence[Row]) -> dict[str, Curve]:
    """By benchmark."""
    found: dict[str, Curve] = {}
    for row in scores:
        metric, mark, alpha = str(row["metric"]).partition(_MARK)
        if mark and metric == "top1":
            found.setdefault(str(row["benchmark"]), {})[float(alpha)] = float(row["value"])
    return found

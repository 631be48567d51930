"""How far images are from texts.

Liang et al., Mind the Gap: Understanding the Modality Gap in Multi-modal Contrastive Representation Learning,
2022. https://arxiv.org/abs/2203.02053
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.drawing.page import legend, panels
from protoclip_cli.drawing.palette import GREY, IMAGE, TEXT
from protoclip_cli.drawing.pictures.base import Drawn, PictureSpec
from protoclip_cli.drawing.scene import Material, Scene

_JOINED = 60


class ModalityGapSpec(PictureSpec):
    """Images and texts on their two main axes, some pairs joined, with the gap between both means."""

    kind: Literal["modality_gap"] = "modality_gap"
    rows: int = Field(1000, ge=2)
    """At most so many pairs."""

    made_of = frozenset({Material.GALLERY})

    def draw(self, scene: Scene) -> Iterator[Drawn]:
        """See `PictureSpec`."""
        gallery = scene.gallery
        assert gallery is not None
        images, texts = gallery.image_features[: self.rows], gallery.text_features[: self.rows]
        gap = float(np.linalg.norm(images.mean(axis=0) - texts.mean(axis=0)))
        cosine = float((images * texts).sum(axis=1).mean())
        places, shares = main_axes(np.concatenate([images, texts]))
        image, text = places[: len(images)], places[len(images) :]
        figure, (axis,) = panels(1, width=7.6, height=6.2)
        for one, other in zip(image[:_JOINED], text[:_JOINED], strict=True):
            axis.plot(*zip(one, other, strict=True), color=GREY, linewidth=0.4, alpha=0.6, zorder=1)
        for name, some, colour, shape in (("images", image, IMAGE, "o"), ("texts", text, TEXT, "^")):
            axis.scatter(*some.T, s=12, color=colour, marker=shape, alpha=0.55, linewidths=0, label=name)
        head, tail = image.mean(axis=0), text.mean(axis=0)
        axis.annotate(
            "", xy=head, xytext=tail, arrowprops={"arrowstyle": "-|>", "color": "black", "linewidth": 2.2}
        )
        axis.plot([], [], color="black", linewidth=2.2, label="gap, from mean text to mean image")
        axis.plot([], [], color=GREY, linewidth=0.8, label=f"{min(_JOINED, len(images))} pairs")
        axis.set(
            title=f"Modality gap {gap:.3f}; mean cosine of pairs {cosine:.3f}",
            xlabel=f"first principal axis ({shares[0]:.0%} of the variance)",
            ylabel=f"second principal axis ({shares[1]:.0%})",
        )
        axis.set_aspect("equal", "datalim")
        legend(axis, loc="upper left", bbox_to_anchor=(0, -0.1), ncols=4)
        yield "modality_gap", figure


def main_axes(rows: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows on the two axes along which they vary most, and the share of the variance of each.

    Args:
        rows: (n, D).

    Returns:
        (n, 2) and (2,). The largest coordinate on each axis is positive.

    >>> places, shares = main_axes(np.array([[0, 0], [2, 0], [4, 0]], np.float32))
    >>> abs(places[:, 0]).tolist(), shares.tolist()
    ([2.0, 0.0, 2.0], [1.0, 0.0])
    """
    centred = np.asarray(rows, np.float64) - np.asarray(rows, np.float64).mean(axis=0)
    _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
    if len(axes) < 2:
        axes, lengths = np.vstack([axes, np.zeros_like(axes)]), np.append(lengths, 0.0)
    places = centred @ axes[:2].T
    signs = np.sign(places[np.abs(places).argmax(axis=0), [0, 1]])
    total = max(float((lengths**2).sum()), 1e-30)
    return places * np.where(signs == 0, 1, signs), lengths[:2] ** 2 / total

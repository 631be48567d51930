"""How alike a model finds some captions and some images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from protoclip_cli.compute.randomness import generator
from protoclip_cli.drawing.page import panels
from protoclip_cli.drawing.palette import SHADES
from protoclip_cli.drawing.pictures.base import Drawn, PictureSpec
from protoclip_cli.drawing.scene import Material, Scene

_TILE, _TALL = 96, 40  # pixels, and points of the page


class SimilaritySpec(PictureSpec):
    """A heat map of the cosines between some captions and some images; the diagonal are the pairs."""

    kind: Literal["similarity"] = "similarity"
    pairs: int = Field(10, ge=2, le=24)
    """How many, drawn by chance."""

    made_of = frozenset({Material.GALLERY})

    def draw(self, scene: Scene) -> Iterator[Drawn]:
        """See `PictureSpec`."""
        from matplotlib.offsetbox import AnnotationBbox, OffsetImage

        gallery = scene.gallery
        assert gallery is not None
        order = generator(gallery.seed, "similarity").permutation(len(gallery))
        chosen = np.sort(order[: self.pairs])
        cosines = gallery.text_features[chosen] @ gallery.image_features[chosen].T
        count, side = len(chosen), 0.62
        figure, (axis,) = panels(1, width=4.2 + side * count, height=1.9 + side * count)
        drawn = axis.imshow(cosines, cmap=SHADES, aspect="equal")
        axis.grid(visible=False)
        lines = [scene.letters.lines(gallery.texts[one], 8.5, 200, 2) for one in chosen]
        axis.set(xticks=[], yticks=range(count))
        axis.set_yticklabels(["\n".join(some) for some in lines], size=8.5)
        middle = (cosines.min() + cosines.max()) / 2
        for row, column in np.ndindex(cosines.shape):
            value = cosines[row, column]
            axis.text(
                column,
                row,
                f"{round(float(value), 2) + 0.0:.2f}",
                size=8,
                ha="center",
                va="center",
                color="black" if value > middle else "white",
                weight="bold" if row == column else "normal",
            )
        for place, one in enumerate(chosen):
            tile = OffsetImage(scene.tiles.tile(int(gallery.rows[one]), _TILE), zoom=_TALL / _TILE)
            box = AnnotationBbox(
                tile, (place, -0.5), xybox=(0, 24), boxcoords="offset points", frameon=False, pad=0
            )
            axis.add_artist(box)
        figure.colorbar(drawn, label="cosine", shrink=0.7)
        axis.set_title(
            scene.letters.within(f"{gallery.name}: captions against images", 11, 45 * count + 90), pad=52
        )
        yield "similarity", figure

"""Images and texts in one map of the plane."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.drawing.clusters import find_clusters
from protoclip_cli.drawing.gallery import Gallery
from protoclip_cli.drawing.page import panels
from protoclip_cli.drawing.palette import COLOURS, GREY
from protoclip_cli.drawing.pictures.base import Drawn, PictureSpec
from protoclip_cli.drawing.scene import Material, Scene
from protoclip_cli.drawing.tsne_map import (
    LEAST,
    KeptMap,
    fitting_perplexity,
    has_opentsne,
    make_map,
)

_SHAPES = {"image": "o", "text": "^"}
_SHOWN = len(COLOURS)


class TsneSpec(PictureSpec):
    """t-SNE of image and text features in one map, and in two panels, coloured by cluster or class."""

    kind: Literal["tsne"] = "tsne"
    rows: int = Field(1000, ge=2)
    """At most so many pairs."""
    perplexity: float = Field(30.0, gt=1)
    """About how many neighbours of a point count. Lowered where there are too few points."""
    colour: Literal["auto", "cluster", "label"] = "auto"
    """By cluster of the images, or by class. `auto`: by class where classes are known."""

    made_of = frozenset({Material.GALLERY})

    def refuses(self, scene: Scene) -> str | None:
        """See `PictureSpec`."""
        if wrong := super().refuses(scene):
            return wrong
        assert scene.gallery is not None
        if self.colour == "label" and scene.gallery.labels is None:
            return "is to be coloured by label, and these pairs have none: give --benchmark NAME"
        if len(np.unique(_features(scene.gallery, self.rows).round(6), axis=0)) < LEAST:
            return f"needs at least {LEAST} different features, and the model's are fewer"
        return None

    def draw(self, scene: Scene) -> Iterator[Drawn]:
        """See `PictureSpec`."""
        gallery = scene.gallery
        assert gallery is not None
        features = _features(gallery, self.rows)
        places = self._places(scene, features, gallery.seed)
        half = len(features) // 2
        sides = {"image": places[:half], "text": places[half:]}
        groups, names = self._groups(gallery, half, scene)
        title = f"{gallery.name}: {half:,} pairs, t-SNE"
        figure, (axis,) = panels(1, width=8, height=7)
        for side, some in sides.items():
            _scatter(axis, some, groups, len(names), _SHAPES[side])
        _explain(figure, axis, names, list(sides))
        axis.set_title(scene.letters.within(f"{title}; images and texts in one map", 11, 540))
        yield "tsne", figure
        figure, axes = panels(2, width=6, height=5.6, most=2)
        for axis, (side, some) in zip(axes, sides.items(), strict=True):
            _scatter(axis, some, groups, len(names), _SHAPES[side])
            axis.set_title(scene.letters.within(f"{title}; {side}s", 11, 400))
        _explain(figure, axes[0], names, [])
        yield "tsne_panels", figure

    def _places(self, scene: Scene, features: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
        """Places of all points, in the kept map if there is one."""
        kept, path = None, scene.kept_map
        perplexity = fitting_perplexity(self.perplexity, len(features))
        if perplexity < self.perplexity:
            scene.note(f"tsne: {len(features)} points allow a perplexity of {perplexity:.1f} at most")
        if not has_opentsne():
            scene.note("tsne: by scikit-learn; pip install 'protoclip[tsne]' is faster and keeps maps better")
        if path is not None and path.is_file():
            try:
                kept = KeptMap.load(path)
                places = make_map(features, perplexity, seed, kept)
            except DataError as error:
                raise DataError(f"tsne: {error}", hint=error.hint) from None
            scene.note(f"tsne: drawn in the map {path}")
            return places
        places = make_map(features, perplexity, seed)
        if path is not None:
            KeptMap(features, places, perplexity).save(path)
        return places

    def _groups(self, gallery: Gallery, pairs: int, scene: Scene) -> tuple[NDArray[np.int64], list[str]]:
        """The colour of each pair, 0 the most frequent, and what each colour stands for."""
        if self.colour == "cluster" or gallery.labels is None:
            clusters = find_clusters(gallery.image_features[:pairs], _SHOWN, gallery.seed)
            return clusters.labels, [f"image cluster {number + 1}" for number in range(len(clusters.sizes))]
        labels, sizes = np.unique(gallery.labels[:pairs], return_counts=True)
        order = labels[np.argsort(-sizes, kind="stable")]
        shown = list(order[:_SHOWN])
        groups = np.array(
            [shown.index(label) if label in shown else _SHOWN for label in gallery.labels[:pairs]]
        )
        names = [scene.letters.short(gallery.classes[label], 28) for label in shown]
        return groups, names + ([f"{len(order) - _SHOWN} other classes"] if len(order) > _SHOWN else [])


def _features(gallery: Gallery, pairs: int) -> NDArray[np.float32]:
    """(2n, D): images, then texts."""
    return np.concatenate([gallery.image_features[:pairs], gallery.text_features[:pairs]])


def _colour(group: int) -> str:
    return COLOURS[group] if group < _SHOWN else GREY


def _scatter(
    axis: Any, places: NDArray[np.float32], groups: NDArray[np.int64], count: int, shape: str
) -> None:
    for group in reversed(range(count)):
        some = places[groups == group]
        axis.scatter(
            some[:, 0], some[:, 1], s=14, marker=shape, color=_colour(group), alpha=0.75, linewidths=0
        )
    axis.set(xticks=[], yticks=[])  # the axes of a map mean nothing
    axis.grid(visible=False)
    axis.spines[["left", "bottom"]].set_visible(False)
    axis.set_aspect("equal", "datalim")


def _explain(figure: Any, axis: Any, names: list[str], sides: list[str]) -> None:
    from matplotlib.lines import Line2D

    dots = [
        Line2D([], [], linestyle="none", marker="s", color=_colour(group), label=name)
        for group, name in enumerate(names)
    ]
    dots += [
        Line2D([], [], linestyle="none", marker=_SHAPES[side], color=GREY, label=f"{side}s") for side in sides
    ]
    assert axis.figure is figure
    figure.legend(handles=dots, loc="outside lower center", ncols=5)

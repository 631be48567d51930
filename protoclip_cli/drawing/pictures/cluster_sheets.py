"""What clusters are about: the samples nearest to their prototypes, and how clusters of both sides agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.drawing.clusters import Clusters, find_clusters
from protoclip_cli.drawing.gallery import Gallery
from protoclip_cli.drawing.palette import SHADES
from protoclip_cli.drawing.pictures.base import Drawn, PictureSpec
from protoclip_cli.drawing.scene import Material, Scene
from protoclip_cli.drawing.sheet_tiles import Sheet
from protoclip_cli.metrics.clustering import adjusted_mutual_information

_SIDE, _GAP, _WORDS, _LEFT, _TOP = 96, 10, 42, 96, 44


class ClusterSheetsSpec(PictureSpec):
    """Nearest samples of image and of text clusters with captions, a row each, and how both agree."""

    kind: Literal["cluster_sheets"] = "cluster_sheets"
    k: int | None = Field(None, ge=2)
    """Clusters. Left out: a tenth of the rows, at most 200."""
    rows: int = Field(10, ge=1, le=40)
    """The largest clusters that are shown."""
    samples: int = Field(8, ge=1, le=20)
    """Of each cluster."""

    made_of = frozenset({Material.GALLERY})

    def draw(self, scene: Scene) -> Iterator[Drawn]:
        """See `PictureSpec`."""
        gallery = scene.gallery
        assert gallery is not None
        k = self.k or max(2, min(200, len(gallery) // 10))
        features = {"image": gallery.image_features, "text": gallery.text_features}
        found = {side: find_clusters(rows, k, gallery.seed) for side, rows in features.items()}
        for side, clusters in found.items():
            live = len(clusters.sizes)
            if live == 1:
                scene.note(f"cluster_sheets: all {side} features are one cluster; they have collapsed")
            elif live < k:
                scene.note(f"cluster_sheets: {live} {side} clusters instead of {k}: no more features differ")
            yield f"clusters_{side}", self._sheet(scene, gallery, side, found)
        yield "clusters_agreement", _agreement(found["image"], found["text"], self.rows)

    def _sheet(self, scene: Scene, gallery: Gallery, side: str, found: dict[str, Clusters]) -> Any:
        own, other = found[side], found["text" if side == "image" else "image"]
        shown = min(self.rows, len(own.sizes))
        columns = min(self.samples, int(own.sizes[0]))
        height = _SIDE + _WORDS + _GAP
        width = max(_LEFT + columns * (_SIDE + _GAP) + _GAP, 700)
        page = Sheet(width, _TOP + shown * height, scene.letters)
        title = f"{side} clusters: the {shown} largest of {len(own.sizes)}, nearest samples first"
        page.words(
            f"{title} ({gallery.name}, {len(gallery):,} pairs)", _GAP, 12, width - 2 * _GAP, lines=1, size=11
        )
        for cluster in range(shown):
            top = _TOP + cluster * height
            self._about(page, top, cluster, own, other, side)
            for place, sample in enumerate(own.nearest(cluster, columns)):
                left = _LEFT + place * (_SIDE + _GAP)
                page.tile(scene.tiles, int(gallery.rows[sample]), left, top, _SIDE)
                page.words(gallery.texts[sample], left, top + _SIDE + 3, _SIDE, lines=3)
        return page.done()

    def _about(
        self, page: Sheet, top: float, cluster: int, own: Clusters, other: Clusters, side: str
    ) -> None:
        """Say beside a row how large the cluster is, and whether the other side keeps it together."""
        members = own.labels == cluster
        together = np.bincount(other.labels[members]).max() / members.sum()
        page.words(f"cluster {cluster + 1}", _GAP, top + 14, _LEFT - 2 * _GAP, size=9)
        page.words(f"{int(members.sum())} pairs", _GAP, top + 30, _LEFT - 2 * _GAP, size=9)
        across = "text" if side == "image" else "image"
        said = f"{together:.0%} are in one {across} cluster"
        page.words(said, _GAP, top + 48, _LEFT - 2 * _GAP, lines=3, color="#555555")


def _agreement(image: Clusters, text: Clusters, most: int) -> Any:
    """A heat map: which share of an image cluster is in which text cluster."""
    from protoclip_cli.drawing.page import panels

    table = contingency(image.labels, text.labels)
    rows = min(2 * most, table.shape[0])
    shares = table[:rows] / table[:rows].sum(axis=1, keepdims=True)
    order = _diagonal(shares)[: 2 * most]
    figure, (axis,) = panels(1, width=8, height=6.8)
    drawn = axis.imshow(shares[:, order], cmap=SHADES, vmin=0, aspect="auto")
    axis.grid(visible=False)
    axis.set(
        xlabel="text cluster (those that hold most of the image clusters)",
        ylabel="image cluster, the largest first",
        xticks=range(len(order)),
        yticks=range(rows),
        title=f"Image and text clusters: AMI {adjusted_mutual_information(image.labels, text.labels):.3f}",
    )
    axis.set_xticklabels([str(number + 1) for number in order])
    axis.set_yticklabels([str(number + 1) for number in range(rows)])
    figure.colorbar(drawn, label="share of the image cluster")
    return figure


def contingency(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many rows are in both of two clusters.

    >>> contingency(np.array([0, 0, 1]), np.array([1, 0, 1]))
    array([[1, 1],
           [0, 1]])
    """
    table = np.zeros((first.max() + 1, second.max() + 1), np.int64)
    np.add.at(table, (first, second), 1)
    return table


def _diagonal(shares: NDArray[np.float64]) -> list[int]:
    """Columns such that the largest share of each row comes near the diagonal."""
    chosen = dict.fromkeys(int(column) for column in shares.argmax(axis=1))
    rest = np.argsort(-shares.sum(axis=0), kind="stable")
    return [*chosen, *(int(column) for column in rest if int(column) not in chosen)]

"""What is found: the five best images of a caption, and the five best captions of an image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protoclip_cli.compute.randomness import generator
from protoclip_cli.drawing.gallery import Gallery
from protoclip_cli.drawing.palette import RIGHT, WRONG
from protoclip_cli.drawing.pictures.base import Drawn, PictureSpec
from protoclip_cli.drawing.scene import Material, Scene
from protoclip_cli.drawing.sheet_tiles import Sheet

_SIDE, _GAP, _LEFT, _TOP, _FOUND = 96, 12, 190, 44, 5
_MARKS = {True: "\u2713 right", False: "\u2717"}


class RetrievalSheetsSpec(PictureSpec):
    """Queries with the five best answers, right or wrong: images of captions, and captions of images."""

    kind: Literal["retrieval_sheets"] = "retrieval_sheets"
    queries: int = Field(8, ge=1, le=40)
    """How many, drawn by chance."""

    made_of = frozenset({Material.GALLERY})

    def draw(self, scene: Scene) -> Iterator[Drawn]:
        """See `PictureSpec`. An answer with the very caption of the query is right."""
        gallery = scene.gallery
        assert gallery is not None
        order = generator(gallery.seed, "retrieval sheets").permutation(len(gallery))
        queries = np.sort(order[: self.queries])
        yield "retrieval_text_to_image", self._images(scene, gallery, queries)
        yield "retrieval_image_to_text", self._captions(scene, gallery, queries)

    def _images(self, scene: Scene, gallery: Gallery, queries: NDArray[np.int64]) -> Any:
        found = nearest(gallery.text_features[queries], gallery.image_features)
        width, height = _LEFT + _FOUND * (_SIDE + _GAP) + _GAP, _SIDE + 46
        page = Sheet(width, _TOP + len(queries) * height, scene.letters)
        page.words(_title("images of a caption", gallery), _GAP, 12, width - 2 * _GAP, lines=1, size=11)
        for line, query in enumerate(queries.tolist()):
            top = _TOP + line * height
            page.words(gallery.texts[query], _GAP, top + 16, _LEFT - 3 * _GAP, lines=5, size=9)
            for place, answer in enumerate(found[line].tolist()):
                left, right = _LEFT + place * (_SIDE + _GAP), _right(gallery, query, answer)
                colour = RIGHT if right else WRONG
                page.tile(scene.tiles, int(gallery.rows[answer]), left, top, _SIDE)
                page.frame(left, top, _SIDE, colour)
                page.words(_MARKS[right], left, top + _SIDE + 5, _SIDE, lines=1, color=colour)
                if not right:
                    page.words(gallery.texts[answer], left + 14, top + _SIDE + 5, _SIDE - 14)
        return page.done()

    def _captions(self, scene: Scene, gallery: Gallery, queries: NDArray[np.int64]) -> Any:
        found = nearest(gallery.image_features[queries], gallery.text_features)
        width, height, line_height = 740, _SIDE + 26, 21
        page = Sheet(width, _TOP + len(queries) * height, scene.letters)
        page.words(_title("captions of an image", gallery), _GAP, 12, width - 2 * _GAP, lines=1, size=11)
        for line, query in enumerate(queries.tolist()):
            top, left = _TOP + line * height, _SIDE + 3 * _GAP
            page.tile(scene.tiles, int(gallery.rows[query]), _GAP, top, _SIDE)
            for place, answer in enumerate(found[line].tolist()):
                right = _right(gallery, query, answer)
                colour, below = RIGHT if right else WRONG, top + place * line_height
                page.words(_MARKS[right][0], left, below, 20, lines=1, size=9, color=colour)
                room = width - left - 24 - _GAP
                page.words(gallery.texts[answer], left + 20, below, room, lines=1, size=9, color=colour)
        return page.done()


def _title(what: str, gallery: Gallery) -> str:
    return f"The {_FOUND} nearest {what} ({gallery.name}, among {len(gallery):,})"


def _right(gallery: Gallery, query: int, answer: int) -> bool:
    return query == answer or gallery.texts[query] == gallery.texts[answer]


def nearest(queries: NDArray[np.float32], candidates: NDArray[np.float32]) -> NDArray[np.int64]:
    """(q, 5), the candidates with the largest cosines, best first; of equal ones the earlier.

    >>> nearest(np.eye(2, dtype=np.float32)[:1], np.eye(2, dtype=np.float32))
    array([[0, 1]])
    """
    found: NDArray[np.int64] = np.argsort(-(queries @ candidates.T), axis=1, kind="stable")[:, :_FOUND]
    return found

"""Small squares of images. One image is open at a time, however many are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from protoclip_cli.core.errors import DataError

_GREY, _CROSS = 190, 150


class Images(Protocol):
    """Images by row."""

    def image(self, row: int, draft: int | None = None) -> Image.Image:
        """The image of a row."""


@dataclass(slots=True)
class Tiles:
    """Makes tiles, and counts the images that are not there any more."""

    images: Images
    missing: int = 0

    def tile(self, row: int, side: int) -> NDArray[np.uint8]:
        """(side, side, 3): the whole image on white; grey and crossed out if it cannot be read."""
        try:
            with self.images.image(row, side) as image:
                small = ImageOps.contain(image.convert("RGB"), (side, side))
        except (DataError, OSError):
            self.missing += 1
            return _lost(side)
        page = Image.new("RGB", (side, side), "white")
        page.paste(small, ((side - small.width) // 2, (side - small.height) // 2))
        return np.asarray(page)


def _lost(side: int) -> NDArray[np.uint8]:
    tile = np.full((side, side, 3), _GREY, np.uint8)
    place = np.arange(side)
    tile[place, place] = tile[place, side - 1 - place] = _CROSS
    return tile

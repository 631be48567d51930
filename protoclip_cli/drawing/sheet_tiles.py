"""Tiles and captions on a sheet: one picture for all tiles, then frames and words."""

from __future__ import annotations

from typing import Any

import numpy as np

from protoclip_cli.drawing.lettering import Lettering
from protoclip_cli.drawing.page import DPI, points, sheet
from protoclip_cli.drawing.tiles import Tiles

_SMALL, _LINE = 7.5, 12.0


class Sheet:
    """A page of (width, height) units, a hundred to an inch, with the origin at its top left."""

    def __init__(self, width: float, height: float, letters: Lettering) -> None:
        self.figure, self._axis = sheet(width, height)
        self._letters = letters
        self._scale = DPI / 100
        self._size = width, height
        shape = (round(height * self._scale), round(width * self._scale), 3)
        self._pixels = np.full(shape, 255, np.uint8)

    def tile(self, tiles: Tiles, row: int, left: float, top: float, side: float) -> None:
        """Put an image."""
        pixels = round(side * self._scale)
        x, y = round(left * self._scale), round(top * self._scale)
        self._pixels[y : y + pixels, x : x + pixels] = tiles.tile(row, pixels)

    def frame(self, left: float, top: float, side: float, colour: str) -> None:
        """Put a frame around a tile."""
        from matplotlib.patches import Rectangle

        edge = Rectangle((left - 2, top - 2), side + 4, side + 4, fill=False, edgecolor=colour, linewidth=2.2)
        self._axis.add_patch(edge)

    def words(
        self,
        text: str,
        left: float,
        top: float,
        width: float,
        *,
        lines: int = 2,
        size: float = _SMALL,
        **more: Any,
    ) -> None:
        """Put a text in at most so many lines of a width."""
        fitting = self._letters.lines(text, size, points(width), lines)
        for number, line in enumerate(fitting):
            place = top + number * _LINE * size / _SMALL
            self._axis.text(left, place, line, size=size, va="top", **more)

    def done(self) -> Any:
        """The figure."""
        width, height = self._size
        self._axis.imshow(
            self._pixels, extent=(0, width, height, 0), interpolation="nearest", aspect="auto", zorder=-1
        )
        self._axis.set(xlim=(0, width), ylim=(height, 0))
        return self.figure

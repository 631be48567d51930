"""Glyphs: every letter, number, punctuation mark and symbol of matplotlib's own fonts, drawn small.

Pictures are normalised by the face, not by the glyph: at one size per face, its capital H is three quarters
of the picture tall, so faces of different metrics agree and a small o stays smaller than a capital one. Only
a glyph that would leave no margin is set in a smaller size. Ink is centred, dark on white, with grey edges.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

STYLES = {
    "DejaVuSans": "sans",
    "DejaVuSans-Bold": "bold sans",
    "DejaVuSans-Oblique": "oblique sans",
    "DejaVuSansMono": "mono",
    "DejaVuSansMono-Bold": "bold mono",
    "DejaVuSerif": "serif",
    "DejaVuSerif-Bold": "bold serif",
    "DejaVuSerif-Italic": "italic serif",
    "STIXGeneral": "stix serif",
    "STIXGeneralBol": "bold stix serif",
    "STIXGeneralItalic": "italic stix serif",
}
"""The style each face is captioned with."""

HELD_OUT = ("DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic")
"""The family nothing is trained on by default."""

_CATEGORIES = "LNPS"
_CAPITAL = 0.75
_LARGEST = 0.84


@dataclass(frozen=True, slots=True)
class Drawn:
    """All glyphs of one face, by code point."""

    code_points: NDArray[np.int32]
    """(n,), ascending."""
    pictures: NDArray[np.uint8]
    """(n, side, side), 0 is ink and 255 is paper. Not to be written to."""


def name(code_point: int) -> str:
    """The Unicode name of a character in lower case.

    >>> name(0x3B1)
    'greek small letter alpha'
    """
    return unicodedata.name(chr(code_point)).lower()


def _named(code_point: int) -> bool:
    try:
        return bool(unicodedata.name(chr(code_point)))
    except ValueError:
        return False


def characters(face: str) -> list[int]:
    """The code points a face can draw that have a name and are letters, numbers, punctuation or symbols."""
    from matplotlib.ft2font import FT2Font

    known = sorted(FT2Font(str(_file(face))).get_charmap())
    return [code for code in known if unicodedata.category(chr(code))[0] in _CATEGORIES and _named(code)]


@lru_cache(maxsize=2 * len(STYLES))
def draw(face: str, side: int) -> Drawn:
    """Draw a face, once a process.

    Args:
        face: one of `STYLES`.
        side: of each picture, in pixels.
    """
    codes = characters(face)
    pictures = np.full((len(codes), side, side), 255, np.uint8)
    pen = _Pen(face, side)
    for picture, code in zip(pictures, codes, strict=True):
        ink = pen.ink(chr(code))
        height, width = ink.shape
        top, left = (side - height) // 2, (side - width) // 2
        picture[top : top + height, left : left + width] -= ink
    pictures.flags.writeable = False
    return Drawn(np.array(codes, np.int32), pictures)


class _Pen:
    """A face at the sizes it is needed in."""

    def __init__(self, face: str, side: int) -> None:
        self._path = str(_file(face))
        self._fonts: dict[float, ImageFont.FreeTypeFont] = {}
        self._largest = max(1, int(_LARGEST * side))
        _, box = self._at("H", 100)
        self._size = _CAPITAL * side * 100 / (box[3] - box[1])

    def ink(self, character: str) -> NDArray[np.uint8]:
        """How dark each pixel of a character is, without any margin. Empty if it leaves no ink.

        Returns:
            (height, width), both at most what fits.
        """
        size = self._size
        canvas, box = self._at(character, size)
        while size > 1 and (extent := max(box[2] - box[0], box[3] - box[1])) > self._largest:
            # In quarters of a pixel, so that few sizes are opened. Hinting may round up: then once more.
            size = max(1.0, int(4 * min(size * self._largest / extent, size - 0.25)) / 4)
            canvas, box = self._at(character, size)
        left, top, right, bottom = box
        return np.asarray(canvas)[top:bottom, left:right][: self._largest, : self._largest]

    def _at(self, character: str, size: float) -> tuple[Image.Image, tuple[int, int, int, int]]:
        """A canvas with the character, and the box of its ink."""
        if size not in self._fonts:
            # The basic layout needs no library that may or may not be there.
            self._fonts[size] = ImageFont.truetype(self._path, size, layout_engine=ImageFont.Layout.BASIC)
        font = self._fonts[size]
        left, top, right, bottom = (int(edge) for edge in font.getbbox(character))
        canvas = Image.new("L", (right - left + 4, bottom - top + 4))
        ImageDraw.Draw(canvas).text((2 - left, 2 - top), character, fill=255, font=font)
        return canvas, canvas.getbbox() or (0, 0, 0, 0)


def _file(face: str) -> Path:
    import matplotlib as mpl

    return Path(mpl.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"

"""Some images of a source with their captions, on one page."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from protoclip_cli.core.errors import BadImage
from protoclip_cli.core.fitted import fitted
from protoclip_cli.data.pairs.base import PairSource
from protoclip_cli.store.files import write_bytes

_SIDE, _WORDS, _GAP, _LINES = 144, 30, 8, 2


def draw_sheet(source: PairSource, rows: Sequence[int], path: Path) -> None:
    """Write a PNG.

    Args:
        source: of pairs.
        rows: which of them, in the order of the page.
        path: the file.
    """
    columns = max(1, math.ceil(math.sqrt(len(rows))))
    lines = math.ceil(len(rows) / columns)
    page = Image.new("RGB", (columns * (_SIDE + _GAP), lines * (_SIDE + _WORDS + _GAP)), "white")
    pen, font = ImageDraw.Draw(page), _font(11)
    for number, row in enumerate(rows):
        left, top = (number % columns) * (_SIDE + _GAP), (number // columns) * (_SIDE + _WORDS + _GAP)
        try:
            small = ImageOps.contain(source.image(row, _SIDE).convert("RGB"), (_SIDE, _SIDE))
            page.paste(small, (left + (_SIDE - small.width) // 2, top + (_SIDE - small.height) // 2))
        except BadImage:
            pen.rectangle((left, top, left + _SIDE, top + _SIDE), outline="red")
        caption = " ".join(source.captions[source.captions.of(row)[0]].split())
        for line, text in enumerate(fitted(caption, font.getlength, _SIDE, _LINES)):
            pen.text((left, top + _SIDE + 2 + 13 * line), text, "black", font)
    content = io.BytesIO()
    page.save(content, "PNG")
    write_bytes(path, content.getvalue())


def _font(size: int) -> ImageFont.FreeTypeFont:
    import matplotlib as mpl

    path = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(path), size)

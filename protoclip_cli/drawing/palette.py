"""Colours that people with any colour vision tell apart.

Okabe and Ito, Color Universal Design, 2008. https://jfly.uni-koeln.de/color/
Their yellow is left out, because it cannot be read on white. Where there are more things than colours, lines
change their dashes and dots their shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#9A9A9A"
RIGHT, WRONG = COLOURS[0], COLOURS[1]
IMAGE, TEXT = COLOURS[0], COLOURS[1]
SHADES = "cividis"
"""For numbers: grows evenly in brightness, and reads the same in all colour visions."""
_DASHES = ("-", "--", ":", "-.")
_SHAPES = ("o", "s", "D", "^", "v", "P", "X")


def lines() -> Iterator[dict[str, str]]:
    """Styles of lines, no two alike among the first 28."""
    yield from ({"color": colour, "linestyle": dash} for dash, colour in product(_DASHES, COLOURS))
    yield from lines()


def dots() -> Iterator[dict[str, str]]:
    """Styles of dots, no two alike among the first 49."""
    yield from ({"color": colour, "marker": shape} for shape, colour in product(_SHAPES, COLOURS))
    yield from dots()

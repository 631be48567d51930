"""Texts in lines that fit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

_ELLIPSIS = "\u2026"


def fitted(text: str, length: Callable[[str], float], most: float, lines: int) -> list[str]:
    r"""A text in lines that are not longer than there is room for, broken between words where that can be.

    Args:
        text: without line breaks.
        length: of a line, in the unit of `most`; of the start of a line no longer than of all of it.
        most: length of a line.
        lines: how many there may be; what is left out is told by an ellipsis.

    >>> fitted("the cat sat on the mat", len, 8, 2)
    ['the cat', 'sat on\u2026']
    """
    found: list[str] = []
    while text and len(found) < lines:
        fits = _longest(text, "", length, most)
        if fits < len(text) and len(found) == lines - 1:
            fits = _longest(text[:fits], _ELLIPSIS, length, most)
            space = text.rfind(" ", 0, fits + 1)
            cut = space if space > fits // 2 else fits  # half a word says more than half a line left empty
            return [*found, f"{text[:cut].rstrip()}{_ELLIPSIS}"]
        space = text.rfind(" ", 0, fits + 1) if fits < len(text) else -1
        cut = space if space > 0 else fits
        found.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return found


def _longest(text: str, ending: str, length: Callable[[str], float], most: float) -> int:
    """How many characters, at least one, are no longer with an ending than there is room for."""
    return max(1, bisect_right(range(1, len(text) + 1), most, key=lambda end: length(text[:end] + ending)))

"""Captions in any script: which fonts have their characters, and how wide they are.

matplotlib takes each character from the first font of a list that has it. The list begins with the font that
it carries; installed fonts are looked through only for what that one lacks. What none has is drawn as a box.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

from protoclip_cli.core.fitted import fitted

_OWN = "DejaVu Sans"
_BOX = "\u25a1"
_LONGEST = 600  # characters of a text that any picture has room for
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Order the letters after them about; scripts need them not, and they can make a caption read as another."""
_UNSEEN = frozenset({"Cf", "Cc", "Zl", "Zp"})


class Lettering:
    """The fonts of a set of texts."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        """Choose fonts.

        Args:
            texts: all that will be written.
        """
        self.families: list[str] = [_OWN]
        """Names of fonts, the first to be asked first."""
        self.missing: Counter[str] = Counter()
        """How often each character was wanted that no font has."""
        self._home: dict[str, int] = {}
        self._fonts = [_open(path) for path in _paths(_OWN)]
        self._widths: dict[str, float] = {}
        wanted = {character for text in texts for character in _plain(text)}
        lacking = {character for character in wanted if not self._has(character)}
        for family, path in _installed() if lacking else ():
            font = _open(path)
            if font is None or not (found := {c for c in lacking if font.get_char_index(ord(c))}):
                continue
            self._home |= dict.fromkeys(found, len(self._fonts))
            self._fonts.append(font)
            self.families.append(family)
            lacking -= found
            if not lacking:
                break

    def write(self, text: str) -> str:
        r"""A text as it can be drawn: one line, without what no font has.

        >>> Lettering().write("a\nb\x1b \U00100000")
        'a b \u25a1'
        """
        letters = []
        for character in _plain(text):
            if self._has(character):
                letters.append(character)
            elif unicodedata.category(character) not in _UNSEEN | {"Mn"}:
                self.missing[character] += 1
                letters.append(_BOX)
        return "".join(letters)

    def lines(self, text: str, size: float, width: float, most: int) -> list[str]:
        """A text in lines that fit.

        Args:
            text: of any length; of ten thousand characters only the first are looked at.
            size: of the letters, in points.
            width: of a line, in points.
            most: lines; what does not fit is told by an ellipsis.
        """
        return fitted(self.write(text), lambda line: self.width(line) * size, width, most)

    def within(self, text: str, size: float, width: float) -> str:
        """A text cut to a width, both in points."""
        return "".join(self.lines(text, size, width, 1))

    def short(self, text: str, characters: int) -> str:
        r"""A text cut to so many characters.

        >>> Lettering().short("a long name", 6)
        'a lon\u2026'
        """
        text = self.write(text)
        return text if len(text) <= characters else f"{text[: characters - 1].rstrip()}\u2026"

    def width(self, text: str) -> float:
        """Of a line, in units of its size. Letters that join are taken as wide as when they stand alone."""
        return sum(map(self._width, text))

    def _width(self, character: str) -> float:
        if character not in self._widths:
            font = self._fonts[self._home.get(character, 0)]
            if font is None or not font.get_char_index(ord(character)):
                return 0.0
            font.set_size(100, 72)
            self._widths[character] = font.load_char(ord(character)).linearHoriAdvance / 65536 / 100
        return self._widths[character]

    def _has(self, character: str) -> bool:
        own = self._fonts[0]
        return character in self._home or (own is not None and bool(own.get_char_index(ord(character))))


def _plain(text: str) -> str:
    """The start of a text, on one line, without what commands terminals or the order of letters."""
    line = " ".join(text[: 2 * _LONGEST].split())
    cut = line if len(line) <= _LONGEST and len(text) <= 2 * _LONGEST else f"{line[:_LONGEST]}\u2026"
    return "".join(c for c in cut if c not in _TURNS and unicodedata.category(c) != "Cc")


def _open(path: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - of a library without types
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
        font.set_size(100, 72)  # fonts of coloured bitmaps refuse it
    except (OSError, RuntimeError, ValueError):
        return None
    return font


def _paths(family: str) -> list[str]:
    from matplotlib.font_manager import FontProperties, findfont

    return [str(findfont(FontProperties(family=[family])))]


def _installed() -> Iterator[tuple[str, str]]:
    """Upright fonts of this machine by family: Noto's first, which are made to go together."""
    from matplotlib.font_manager import fontManager

    found: dict[str, str] = {}
    for entry in fontManager.ttflist:
        if entry.style == "normal" and str(entry.weight) in {"400", "normal", "regular", "book"}:
            found.setdefault(entry.name, entry.fname)
    usable = [name for name in found if "Last Resort" not in name and "LastResort" not in name]
    for name in sorted(usable, key=lambda name: (not name.startswith("Noto Sans"), "Noto" not in name, name)):
        yield name, found[name]

"""Characters of the held-out faces, by what their Unicode names and categories say they are.

The test split is drawn from the faces that training never sees, the DejaVu Serif family, and the train split,
for probes that fit something, from the faces it does see.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Literal

import numpy as np

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Benchmark, Labelled, Paired
from protoclip_cli.data.benchmarks.prompts import Templates, fill
from protoclip_cli.data.benchmarks.readers.base import ReaderSpec
from protoclip_cli.data.pairs.glyphs import GlyphPairs, Glyphs

CATEGORIES = {
    "Lu": "uppercase letter",
    "Ll": "lowercase letter",
    "Lt": "titlecase letter",
    "Lm": "modifier letter",
    "Lo": "other letter",
    "Nd": "decimal number",
    "Nl": "letter number",
    "No": "other number",
    "Pc": "connector punctuation",
    "Pd": "dash punctuation",
    "Ps": "opening punctuation",
    "Pe": "closing punctuation",
    "Pi": "initial quotation mark",
    "Pf": "final quotation mark",
    "Po": "other punctuation",
    "Sm": "mathematical symbol",
    "Sc": "currency symbol",
    "Sk": "modifier symbol",
    "So": "other symbol",
}
"""General categories of Unicode in words."""


class GlyphsReaderSpec(ReaderSpec):
    """Held-out characters with classes, or one held-out face with its captions."""

    kind: Literal["glyphs"] = "glyphs"
    by: Literal["name", "first_word", "category", "caption"]
    """What makes the class of a character: its Unicode name, the first word of that, or its general category
    in words. By caption: there are no classes, and captions are to be found."""
    face: str | None = None
    """Use one held-out face only. Left out: all of them."""
    pattern: str = "{}"
    """By name: the name of a character of class `{}`."""
    classes: tuple[str, ...] = ()
    """Classes; characters of other classes are left out."""
    templates: Templates | None = None
    """Prompts with one `{}` each."""

    @property
    def label(self) -> str:
        """See `ReaderSpec`."""
        return self.name or f"glyphs_{self.by}"

    def open(self) -> Benchmark:
        """See `ReaderSpec`."""
        test = _faces("held_out", self.face)
        if self.by == "caption":
            return Benchmark(name=self.label, split="held_out", pairs=_pairs(test))
        return Benchmark(
            name=self.label,
            split="held_out",
            classes=self.classes,
            templates=self.templates or (),
            test=self._labelled(test),
            train=self._labelled(_faces("train", None)),
        )

    def _labelled(self, glyphs: Glyphs) -> Labelled:
        """The characters that belong to a class."""
        wanted = {self._key(name): number for number, name in enumerate(self.classes)}
        found = np.array(
            [wanted.get(self._class_of(glyphs, row), -1) for row in range(len(glyphs))], np.int64
        )
        rows = np.flatnonzero(found >= 0)
        if not len(rows):
            raise DataError(f"{self.label}: no character belongs to one of its classes")
        return Labelled(glyphs, rows, found[rows])

    def _key(self, name: str) -> str:
        return fill(self.pattern, name) if self.by == "name" else name

    def _class_of(self, glyphs: Glyphs, row: int) -> str:
        if self.by == "category":
            return CATEGORIES[unicodedata.category(chr(glyphs.code_point(row)))]
        name = glyphs.name(row)
        return name if self.by == "name" else name.split()[0]


@cache
def _faces(split: Literal["train", "held_out"], face: str | None) -> Glyphs:
    """The characters of a split. Kept, so that one drawing serves all benchmarks of a process."""
    return GlyphPairs(split=split, faces=None if face is None else (face,)).open()


def _pairs(glyphs: Glyphs) -> Paired:
    captions = glyphs.captions
    owner = np.repeat(np.arange(len(glyphs)), [len(captions.of(row)) for row in range(len(glyphs))])
    return Paired(glyphs, np.arange(len(glyphs)), captions.slice(0, len(captions)), owner)

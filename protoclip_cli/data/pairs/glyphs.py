"""The embedded data set: glyphs of matplotlib's own fonts, captioned with their names and styles."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field, field_validator

from protoclip_cli.core.errors import DataError
from protoclip_cli.data import faces
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.data.pairs.base import PairSource, PairSpec

GlyphClasses = Literal["name", "category", "face"]


class Glyphs(PairSource):
    """Small grey pictures in memory, sorted by face and then by code point."""

    in_memory = True

    def __init__(
        self, chosen: list[str], side: int, limit: int | None, classes: GlyphClasses | None = None
    ) -> None:
        """Draw the faces that were not drawn before.

        Args:
            chosen: faces, in order.
            side: of each picture, in pixels.
            limit: keep only the first rows.
            classes: what the class of a glyph is. None: there are no classes.
        """
        drawn = [faces.draw(face, side) for face in chosen]
        self._faces = chosen
        self._face = np.repeat(
            np.arange(len(chosen), dtype=np.uint8), [len(one.code_points) for one in drawn]
        )[:limit]
        self._code_points = np.concatenate([one.code_points for one in drawn])[:limit]
        self.pictures: NDArray[np.uint8] = np.concatenate([one.pictures for one in drawn])[:limit].copy()
        """(N, side, side), 0 is ink and 255 is paper."""
        self.pictures.flags.writeable = False
        texts = pa.array(self._write_captions(), pa.large_string(), size=len(self))
        self.captions = Captions(texts)
        self.fingerprint = fingerprint("glyphs", self.pictures, texts)
        self.classify(None if classes is None else self._number(classes))

    def __len__(self) -> int:
        return len(self._code_points)

    def image(self, row: int, draft: int | None = None) -> Image.Image:  # noqa: ARG002 (nothing is decoded)
        """The picture of a row, in L: grey throughout, so the views need not carry three equal bands."""
        return Image.fromarray(self.pictures[row])

    def place(self, row: int) -> str:
        return f"{self.face(row)} U+{self.code_point(row):04X}"

    def code_point(self, row: int) -> int:
        """The character of a row."""
        return int(self._code_points[row])

    def face(self, row: int) -> str:
        """The face of a row, one of `faces.STYLES`."""
        return self._faces[int(self._face[row])]

    def name(self, row: int) -> str:
        """The Unicode name of a row's character in lower case, without the style."""
        return faces.name(self.code_point(row))

    def _number(self, classes: GlyphClasses) -> NDArray[np.int32]:
        """(N,), the class of each row."""
        if classes == "face":
            return self._face.astype(np.int32)
        points, place = np.unique(self._code_points, return_inverse=True)
        if classes == "name":
            kinds = [faces.name(int(point)) for point in points]
        else:
            kinds = [unicodedata.category(chr(point)) for point in points]
        return np.unique(kinds, return_inverse=True)[1].astype(np.int32)[place]

    def _write_captions(self) -> Iterator[str]:
        for row in range(len(self)):
            yield f"{self.name(row)}, {faces.STYLES[self.face(row)]}"


class GlyphPairs(PairSpec):
    """Glyphs and their names, drawn from fonts that are already installed."""

    kind: Literal["glyphs"] = "glyphs"
    """The embedded data set: glyphs, their names and styles."""
    split: Literal["train", "held_out", "all"] = "train"
    """`held_out` is the DejaVu Serif family, `train` is everything else."""
    faces: tuple[str, ...] | None = None
    """Only these faces of the split, such as [DejaVuSans, STIXGeneral]. Null: all of them."""
    classes: GlyphClasses | None = None
    """The class of a glyph: its `name`, its Unicode `category` or its `face`. Null: there are no classes."""
    side: int = Field(32, ge=8, le=256)
    """Width and height of the pictures in pixels."""

    @field_validator("faces")
    @classmethod
    def _known(cls, chosen: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for face in chosen or ():
            if face not in faces.STYLES:
                close = get_close_matches(face, faces.STYLES, n=1, cutoff=0.4)
                advice = f"did you mean '{close[0]}'?" if close else f"choose from {', '.join(faces.STYLES)}"
                raise ValueError(f"unknown face '{face}'; {advice}")
        return chosen

    def open(self) -> Glyphs:
        held_out = {"train": False, "held_out": True}.get(self.split)
        split = [face for face in faces.STYLES if held_out is None or (face in faces.HELD_OUT) == held_out]
        chosen = [face for face in split if self.faces is None or face in self.faces]
        if not chosen:
            raise DataError(
                f"no face is left: '{self.split}' has {', '.join(split)}",
                hint="set `split: all`, or other `faces`",
            )
        return Glyphs(chosen, self.side, self.limit, self.classes)

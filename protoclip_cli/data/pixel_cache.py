"""Images decoded and made small once, in one file that is mapped into memory.

Each image is kept upright, in RGB, resized until its shorter side has a given size: two uint32, its
width and height, and then its pixels. An image that could not be read has none, or zeros.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from protoclip_cli.core.errors import BadImage
from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.data.pairs.base import PairSource

VERSION = 1
HEADER = 8
"""Bytes."""
PIXELS, ENDS, STATE = "pixels.bin", "ends.npy", "state.json"


def cache_name(source: PairSource, size: int) -> str:
    """What the cache of a source is called. A table that was moved may name other images: it has its own."""
    where = source.place(0), source.place(len(source) - 1)
    return fingerprint(f"pixels {VERSION} {size}", source.fingerprint, *where)


def fitted(width: int, height: int, size: int) -> tuple[int, int]:
    """Width and height of an image in the cache, which is never larger than it was.

    >>> fitted(1024, 768, 256), fitted(100, 300, 256)
    ((341, 256), (100, 300))
    """
    shorter = min(width, height)
    if shorter <= size:
        return width, height
    return max(size, round(width * size / shorter)), max(size, round(height * size / shorter))


def is_complete(folder: Path, rows: int) -> bool:
    """Whether a folder holds a whole cache of so many rows."""
    try:
        done = json.loads((folder / STATE).read_text(encoding="utf-8"))["rows"]
        ends = np.load(folder / ENDS, mmap_mode="r", allow_pickle=False)
        return done == rows == len(ends) and (folder / PIXELS).stat().st_size == max(int(ends[-1]), 1)
    except (OSError, ValueError, LookupError, TypeError):
        return False


class CachedPixels(PairSource):
    """Another source, whose images are read from a cache."""

    def __init__(self, source: PairSource, folder: Path) -> None:
        """Open a whole cache.

        Args:
            source: of the captions, and of what messages call an image.
            folder: of the cache.
        """
        bad: dict[str, str] = json.loads((folder / STATE).read_text(encoding="utf-8"))["bad"]
        self.captions, self.fingerprint = source.captions, source.fingerprint
        self.labels = source.labels
        self.notes = {f"could not be read when {folder} was made": len(bad)} if bad else {}
        self._source, self._path = source, folder / PIXELS
        self._ends: NDArray[np.int64] = np.load(folder / ENDS, allow_pickle=False)
        """(N,), where each image ends in the file."""
        self._bad = np.array(sorted(map(int, bad)), np.int64)
        self._reasons = pa.array([bad[str(row)] for row in self._bad.tolist()], pa.large_string())
        self._pixels: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self._source)

    def image(self, row: int, draft: int | None = None) -> Image.Image:  # noqa: ARG002 (it is small already)
        row = int(row)
        place = int(np.searchsorted(self._bad, row))
        if place < len(self._bad) and self._bad[place] == row:
            raise BadImage(self._reasons[place].as_py())
        if self._pixels is None:
            self._pixels = np.memmap(self._path, np.uint8, "r")
        start, stop = int(self._ends[row - 1]) if row else 0, int(self._ends[row])
        width, height = self._pixels[start : start + HEADER].view("<u4").tolist()
        pixels = self._pixels[start + HEADER : stop]
        if width * height * 3 != len(pixels):
            raise BadImage(f"{self.place(row)}: damaged in {self._path}")
        return Image.frombytes("RGB", (width, height), pixels)

    def place(self, row: int) -> str:
        return self._source.place(row)

    def image_codes(self) -> NDArray[np.int32]:
        return self._source.image_codes()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_pixels": None}  # pickled, it would be all of the file

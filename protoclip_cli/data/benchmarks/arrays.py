"""Images that are arrays of pixels, or members of zip archives."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.data.images import read_image
from protoclip_cli.data.zip_members import ZipMembers


class ArrayImages:
    """Images by row, all of one size, in memory."""

    in_memory = True

    def __init__(self, pixels: NDArray[np.uint8], what: str) -> None:
        """Keep the pixels.

        Args:
            pixels: (n, height, width), or (n, height, width, 3).
            what: they are, for messages.
        """
        self._pixels, self._what = pixels, what

    @cached_property
    def fingerprint(self) -> str:
        """Changes with the pixels."""
        return fingerprint(self._pixels)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._pixels)

    def image(self, row: int, draft: int | None = None) -> Image.Image:  # noqa: ARG002 (there is one size)
        """The image of a row, in RGB."""
        return Image.fromarray(np.ascontiguousarray(self._pixels[row])).convert("RGB")

    def place(self, row: int) -> str:
        """Where the image of a row is, for messages."""
        return f"{self._what}, row {row}"


class ZipImages:
    """Images by row, in archives that are never unpacked."""

    in_memory = False

    def __init__(self, archives: Sequence[Path], archive: Sequence[int], members: Sequence[str]) -> None:
        """Look at the archives.

        Args:
            archives: each once.
            archive: which of them a row is in.
            members: the name of a row within its archive.

        Raises:
            DataError: an archive is missing or damaged.
        """
        for path in archives:
            if not path.is_file():
                raise DataError(f"there is no archive {path}")
            if not zipfile.is_zipfile(path):
                raise DataError(f"{path} is no zip archive, or is cut off", hint="fetch it again")
        self._members = pa.array(members, pa.large_string())
        self._archive = np.asarray(archive, np.int32)
        self._archives = list(archives)
        paths = pa.array([str(path) for path in archives], pa.large_string())
        self._files = ZipMembers(paths, self._archive, self._members)

    @cached_property
    def fingerprint(self) -> str:
        """Changes when a member gets another name or an archive another size."""
        sizes = np.array([path.stat().st_size for path in self._archives], np.int64)
        return fingerprint(self._members, self._archive, sizes)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._members)

    def image(self, row: int, draft: int | None = None) -> Image.Image:
        """The image of a row, in RGB."""
        place = self.place(row)
        return read_image(self._files.read(int(row)), draft, place=place)

    def place(self, row: int) -> str:
        """The path of the archive and the name in it."""
        return self._files.place(int(row))


def checked(labels: NDArray[np.int64], classes: int, place: str) -> NDArray[np.int64]:
    """Labels, if they are all labels of a class.

    Args:
        labels: (n,).
        classes: how many there are.
        place: where they are from, for the message.

    Raises:
        DataError: one is not.
    """
    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"{place}: row {row} has label {labels[row]}, but classes are 0 to {classes - 1}")
    return labels

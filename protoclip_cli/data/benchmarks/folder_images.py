"""Image files below a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL.Image import Image

from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.data.images import read_image

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm"})


class FolderImages:
    """Images by row, read when asked for."""

    in_memory = False

    def __init__(self, root: Path, files: Sequence[str]) -> None:
        """Keep the paths.

        Args:
            root: the folder.
            files: paths below it, one a row.
        """
        self._root = str(root)
        self._files = pa.array(files, pa.large_string())

    @cached_property
    def fingerprint(self) -> str:
        """Changes when a file is renamed, comes, goes or gets another size."""
        sizes = np.array([Path(self.place(row)).stat().st_size for row in range(len(self))], np.int64)
        return fingerprint(self._root, self._files, sizes)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._files)

    def image(self, row: int, draft: int | None = None) -> Image:
        """The image of a row, in RGB."""
        return read_image(self.place(row), draft)

    def place(self, row: int) -> str:
        """The path of a row."""
        return f"{self._root}{os.sep}{self._files[int(row)].as_py()}"


@dataclass(frozen=True, slots=True)
class Scan:
    """What is below a folder of class folders."""

    files: dict[str, list[str]]
    """Sorted paths below the folder, by class folder. Those without images are left out."""
    ignored: int
    """How many files are hidden, are no images or are in no class folder, and how many folders are hidden."""


def scan(root: Path) -> Scan:
    """Look for images in the class folders below a folder, at any depth."""
    files: dict[str, list[str]] = {}
    ignored = 0
    for folder, inner, names in os.walk(root, followlinks=True):
        below = Path(folder).relative_to(root)
        ignored += sum(1 for name in inner if is_hidden(name))
        inner[:] = sorted(name for name in inner if not is_hidden(name))
        for name in sorted(names):
            if not below.parts or is_hidden(name) or Path(name).suffix.lower() not in SUFFIXES:
                ignored += 1
            else:
                files.setdefault(below.parts[0], []).append(str(below / name))
    return Scan(files, ignored)


def is_hidden(name: str) -> bool:
    """Whether a file or folder is one that a system left there, not a person."""
    return name.startswith((".", "__MACOSX"))


def in_order(folders: set[str]) -> list[str]:
    """Class folders in the order of their classes: by number if all are numbers, else by name.

    >>> in_order({"10", "9", "1"}), in_order({"b", "10", "9"})
    (['1', '9', '10'], ['10', '9', 'b'])
    """
    if all(name.isascii() and name.isdigit() for name in folders):
        return sorted(folders, key=lambda name: (int(name), name))
    return sorted(folders)

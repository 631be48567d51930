"""Pairs whose images are files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL.Image import Image

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.captions import Captions, codes_of
from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.data.images import read_image, read_size
from protoclip_cli.data.pairs.base import PairSource
from protoclip_cli.data.remote import RemoteFiles, is_url, join


class FilePairs(PairSource):
    """Images in files, and what names them. Nothing is opened before it is asked for."""

    def __init__(
        self,
        kind: str,
        paths: pa.LargeStringArray,
        captions: Captions,
        root: str,
        max_pixels: int,
        notes: Mapping[str, int],
        remote: RemoteFiles | None = None,
    ) -> None:
        """Keep the columns.

        Args:
            kind: a part of the fingerprint.
            paths: of the images, one a row.
            captions: of all rows.
            root: the folder or URL that relative paths start from.
            max_pixels: width times height of the largest image to accept.
            notes: what was odd but usable, and how often.
            remote: fetches what is named by URL. None: there are no URLs.
        """
        self.captions = captions
        self.notes = {note: count for note, count in notes.items() if count}
        # Not the root: moving a data set leaves it what it is.
        self.fingerprint = fingerprint(kind, paths, *captions.content)
        self._paths = paths
        self._root = root
        self._max_pixels = max_pixels
        self._remote = remote

    def __len__(self) -> int:
        return len(self._paths)

    def image(self, row: int, draft: int | None = None) -> Image:
        place = self.place(row)
        return read_image(self._file(place), draft, self._max_pixels, place)

    def size(self, row: int) -> tuple[int, int]:
        place = self.place(row)
        return read_size(self._file(place), self._max_pixels, place)

    def _file(self, place: str) -> str | Path:
        return self._remote.fetch(place) if self._remote is not None and is_url(place) else place

    def place(self, row: int) -> str:
        return join(self._root, self._paths[int(row)].as_py())

    def image_codes(self) -> NDArray[np.int32]:
        return codes_of(self._paths)


def first_rows(values: pa.LargeStringArray, rows: int | None) -> pa.LargeStringArray:
    """The first values, holding no more memory than they take. None: all."""
    if rows is None or rows >= len(values):
        return values
    return values.take(pa.array(np.arange(rows)))


def existing_file(path: Path, what: str) -> Path:
    """A path with `~` written out.

    Args:
        path: as the recipe has it.
        what: should be there, for the hint.

    Raises:
        DataError: there is no such file.
    """
    path = path.expanduser()
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a file", hint=f"set `path` to {what}")
    if not path.exists():
        raise DataError(f"there is no file {path}", hint=f"set `path` to {what}")
    return path


def existing_folder(path: Path, key: str, what: str) -> Path:
    """A folder with `~` written out.

    Args:
        path: as the recipe has it.
        key: of the recipe.
        what: should be there, for the hint.

    Raises:
        DataError: there is no such folder.
    """
    path = path.expanduser()
    if not path.is_dir():
        raise DataError(f"there is no folder {path}", hint=f"set `{key}` to {what}")
    return path

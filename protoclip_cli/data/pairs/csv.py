"""Pairs from a table: one image path and one caption a row."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from PIL.Image import Image
from pydantic import Field

from protoclip_cli.data.captions import Captions
from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.data.images import MAX_PIXELS, read_image
from protoclip_cli.data.pairs.base import PairSource, PairSpec
from protoclip_cli.data.tables import Columns, Wanted, read_table

_IMAGE = (
    "filepath",
    "image",
    "path",
    "image_path",
    "file_path",
    "file",
    "filename",
    "file_name",
    "image_file",
    "img",
)
_CAPTION = ("title", "caption", "text", "captions", "description", "sentence")


class TablePairs(PairSource):
    """Images in files, and the table that names them. Nothing is opened before it is asked for."""

    def __init__(self, columns: Columns, root: Path, max_pixels: int) -> None:
        """Keep the columns.

        Args:
            columns: paths and captions.
            root: the folder that relative paths start from.
            max_pixels: width times height of the largest image to accept.
        """
        self.captions = Captions(columns.captions)
        self.notes = {"empty captions": columns.empty_captions} if columns.empty_captions else {}
        # Not the root: moving a data set leaves it what it is.
        self.fingerprint = fingerprint("csv", columns.images, columns.captions)
        self._paths = columns.images
        self._root = str(root)
        self._max_pixels = max_pixels

    def __len__(self) -> int:
        return len(self._paths)

    def image(self, row: int, draft: int | None = None) -> Image:
        return read_image(self.place(row), draft, self._max_pixels)

    def place(self, row: int) -> str:
        return os.path.join(self._root, self._paths[int(row)].as_py())  # noqa: PTH118 (a text a row, no objects)


class CsvPairs(PairSpec):
    """A table of image paths and captions: .tsv, .csv, .parquet or .jsonl."""

    kind: Literal["csv"] = "csv"
    """A table of image paths and captions."""
    path: Path
    """The table: delimited text, .parquet or .jsonl."""
    image_column: str | None = None
    """Name of the column of image paths. Null: one of the usual names, such as `filepath` or `image`."""
    caption_column: str | None = None
    """Name of the column of captions. Null: one of the usual names, such as `title` or `caption`."""
    delimiter: str | None = Field(None, min_length=1, max_length=1)
    """What separates the columns of delimited text. Null: found in the first line."""
    images_root: Path | None = None
    """Folder that relative image paths start from. Null: the table's own folder."""
    max_pixels: int = Field(MAX_PIXELS, gt=0)
    """Images of more pixels than this, width times height, are refused before they are decoded."""

    def open(self) -> TablePairs:
        path = self.path.expanduser()
        columns = read_table(
            path,
            Wanted("image_column", self.image_column, _IMAGE),
            Wanted("caption_column", self.caption_column, _CAPTION),
            self.delimiter,
            self.limit,
        )
        root = path.parent if self.images_root is None else self.images_root.expanduser()
        return TablePairs(columns, root, self.max_pixels)

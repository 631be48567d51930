"""What all kinds of tables of image paths and captions share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.cache_folder import cache_folder
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.classes import Templates, captions_of_classes, number_classes
from protoclip_cli.data.images import MAX_PIXELS
from protoclip_cli.data.pairs._files import FilePairs
from protoclip_cli.data.pairs.base import PairSpec
from protoclip_cli.data.remote import RemoteFiles, check_urls, is_url
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
CAPTION = ("title", "caption", "text", "captions", "description", "sentence")
"""Usual names of a column of captions."""


class TableSpec(PairSpec):
    """Which table, and how it is read."""

    path: Path
    """The table."""
    image_column: str | None = None
    """Name of the column of image paths. Null: one of the usual names, such as `filepath` or `image`."""
    caption_column: str | None = None
    """Name of the column of captions. Null: one of the usual names, such as `title` or `caption`."""
    label_column: str | None = None
    """Name of a column of classes, as whole numbers or as texts; where it is empty, a row has none."""
    templates: Templates = ()
    """Captions to write from the names of classes instead of reading them, such as `a photo of a {}.`"""
    images_root: str | Path | None = None
    """Folder or URL (s3://...) that relative image paths start from. Null: the table's own folder."""
    cache: Path | None = None
    """Folder for copies of images named by URL. Null: below ~/.cache/protoclip."""
    max_pixels: int = Field(MAX_PIXELS, gt=0)
    """Images of more pixels than this, width times height, are refused before they are decoded."""

    def open_table(self, suffixes: tuple[str, ...] = (), delimiter: str | None = None) -> FilePairs:
        """Open the table.

        Args:
            suffixes: one of which its name must end in. Empty: any.
            delimiter: of delimited text. None: found in the first line.

        Raises:
            DataError: it is missing, empty or not in the form it should have.
        """
        path = self.path.expanduser()
        if suffixes and path.suffix.lower() not in suffixes:
            raise DataError(
                f"{path} does not end in {' or '.join(suffixes)}",
                hint="write `kind: csv`, which takes any table",
            )
        image, caption = (
            Wanted("image_column", self.image_column, _IMAGE),
            Wanted("caption_column", self.caption_column, CAPTION),
        )
        label = (
            None if self.label_column is None else Wanted("label_column", self.label_column, (), numbers=True)
        )
        if self.templates:
            assert label is not None
            caption = replace(label, key="caption_column")  # not read
        columns = read_table(path, image, caption, delimiter, self.limit, label)
        captions, labels = self._captions(columns, path)
        root = str(path.parent if self.images_root is None else self.images_root)
        root = root if is_url(root) else str(Path(root).expanduser())
        check_urls(columns.images, root, path)
        empty = 0 if self.templates else columns.empty_captions
        odd = {"empty captions": empty, "rows without an image": columns.without_image}
        notes = {what: count for what, count in odd.items() if count}
        remote = RemoteFiles(cache_folder(self.cache, "images"))
        # One fingerprint for all forms of a table: they hold the same pairs.
        found = FilePairs("csv", columns.images, captions, root, self.max_pixels, notes, remote)
        return found.classify(labels)

    def _captions(self, columns: Columns, path: Path) -> tuple[Captions, NDArray[np.int32] | None]:
        """The captions, read or written, and the classes."""
        if columns.labels is None:
            return Captions(columns.captions), None
        try:
            labels, names = number_classes(columns.labels)
        except ValueError as error:
            raise DataError(f"{path}: {error}", hint="number classes from 0, and write -1 for none") from None
        if not self.templates:
            return Captions(columns.captions), labels
        if (labels < 0).any():
            raise DataError(
                f"{path}, row {int(np.argmax(labels < 0)) + 1}: no class to write a caption from",
                hint="move such rows to a table with captions, and name both in pairs of kind together",
            )
        if not names:
            raise DataError(
                f"{path}: the classes are numbers, and captions are written from names",
                hint="name the classes in words, or remove `templates`",
            )
        return captions_of_classes(labels, names, self.templates), labels

    @model_validator(mode="after")
    def _names_classes(self) -> Self:
        if self.templates and self.label_column is None:
            raise ValueError("templates write captions from classes: set label_column")
        if self.templates and self.caption_column is not None:
            raise ValueError("templates write the captions: remove caption_column")
        return self

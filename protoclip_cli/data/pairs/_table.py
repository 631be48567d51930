"""What all kinds of tables of image paths and captions share."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.cache_folder import cache_folder
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.images import MAX_PIXELS
from protoclip_cli.data.pairs._files import FilePairs
from protoclip_cli.data.pairs.base import PairSpec
from protoclip_cli.data.remote import RemoteFiles, check_urls, is_url
from protoclip_cli.data.tables import Wanted, read_table

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
        columns = read_table(path, image, caption, delimiter, self.limit)
        root = str(path.parent if self.images_root is None else self.images_root)
        root = root if is_url(root) else str(Path(root).expanduser())
        check_urls(columns.images, root, path)
        odd = {"empty captions": columns.empty_captions, "rows without an image": columns.without_image}
        notes = {what: count for what, count in odd.items() if count}
        remote = RemoteFiles(cache_folder(self.cache, "images"))
        # One fingerprint for all forms of a table: they hold the same pairs.
        return FilePairs(
            "csv", columns.images, Captions(columns.captions), root, self.max_pixels, notes, remote
        )

"""Pairs in zip archives, as SLIP and clip-rocket keep YFCC15M: images/00/000.zip, read without unpacking.

A table names the archive, the member and the captions of each row. SLIP's own yfcc15m.pkl, a pickle of
(number, title, description), is read too, without running what it names; the number says archive and member.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from PIL.Image import Image
from pydantic import Field

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.captions import Captions, is_blank
from protoclip_cli.data.fingerprints import fingerprint
from protoclip_cli.data.images import MAX_PIXELS, read_image, read_size
from protoclip_cli.data.pairs._files import existing_file, existing_folder
from protoclip_cli.data.pairs.base import PairSource, PairSpec
from protoclip_cli.data.pickles import read_pickle
from protoclip_cli.data.tables import Wanted, read_columns, refuse_blank
from protoclip_cli.data.zip_members import ZipMembers

_ARCHIVE = ("archive", "zip", "archive_path", "zip_path", "zip_file")
_MEMBER = ("member", "filepath", "filename", "file_name", "file", "image", "path")
_TITLE = ("title", "caption", "text")
_DESCRIPTION = ("description", "desc")
_SLIP = (
    "SLIP's file is a list of (number, title, description); or write a table with archive, member and title"
)


class ZipPairs(PairSource):
    """Images in zip archives. No archive is opened before one of its images is asked for."""

    def __init__(
        self,
        archives: pa.LargeStringArray,
        members: pa.LargeStringArray,
        captions: Captions,
        root: str,
        most: int,
    ) -> None:
        """Keep the columns.

        Args:
            archives: (N,), paths, relative to the root.
            members: (N,), names in the archives.
            captions: of all rows.
            root: the folder of the archives.
            most: pixels of the largest image to accept.

        Raises:
            DataError: none of the archives is there.
        """
        coded = archives.dictionary_encode()
        names, which = coded.dictionary, coded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
        paths = [os.path.join(root, name) for name in names.to_pylist()]  # noqa: PTH118 (15,000 of them)
        absent = np.array([not os.path.isfile(path) for path in paths])  # noqa: PTH113
        if absent.all():
            raise DataError(
                f"there is no archive {paths[0]}", hint="set `archives_root` to the folder of archives"
            )
        self.captions = captions
        self.fingerprint = fingerprint("yfcc_zip", archives, members, *captions.content)
        missing = int(np.count_nonzero(absent[which]))
        notes = {"in archives that are not there": missing, "empty captions": captions.blank}
        self.notes = {note: count for note, count in notes.items() if count}
        self._members = ZipMembers(pa.array(paths, pa.large_string()), which, members)
        self._rows = len(members)
        self._max_pixels = most

    def __len__(self) -> int:
        return self._rows

    def image(self, row: int, draft: int | None = None) -> Image:
        return read_image(self._members.read(int(row)), draft, self._max_pixels, self.place(row))

    def size(self, row: int) -> tuple[int, int]:
        return read_size(self._members.read(int(row)), self._max_pixels, self.place(row))

    def place(self, row: int) -> str:
        return self._members.place(int(row))

    def image_codes(self) -> NDArray[np.int32]:
        return self._members.codes()


class YfccZipPairs(PairSpec):
    """Zip archives of images, and a table that names archive, member and captions of each row."""

    kind: Literal["yfcc_zip"] = "yfcc_zip"
    """Images in zip archives, and a table that names them, as of YFCC15M."""
    path: Path
    """The table: delimited text, .parquet or .jsonl; or SLIP's yfcc15m.pkl."""
    archives_root: Path | None = None
    """Folder that relative paths of archives start from. Null: the table's own folder."""
    archive_column: str | None = None
    """Name of the column of archives. Null: one of the usual names, such as `archive` or `zip`."""
    member_column: str | None = None
    """Name of the column of names in the archive. Null: one of the usual names, such as `member`."""
    title_column: str | None = None
    """Name of the column of captions. Null: one of the usual names, such as `title` or `caption`, if any."""
    description_column: str | None = None
    """Name of a column of second captions. Null: `description`, if there is one."""
    max_pixels: int = Field(MAX_PIXELS, gt=0)
    """Images of more pixels than this, width times height, are refused before they are decoded."""

    def open(self) -> ZipPairs:
        path = existing_file(self.path, "a table of archives, members and captions")
        root = existing_folder(self.archives_root or path.parent, "archives_root", "the folder of archives")
        if path.suffix.lower() == ".pkl":
            archives, members, texts = _read_slip(path, self.limit)
        else:
            archives, members, texts = self._read_table(path)
        return ZipPairs(archives, members, _captions(texts), str(root), self.max_pixels)

    def _read_table(self, path: Path) -> tuple[pa.LargeStringArray, pa.LargeStringArray, list[pa.Array]]:
        wanted = [
            Wanted("archive_column", self.archive_column, _ARCHIVE),
            Wanted("member_column", self.member_column, _MEMBER),
            Wanted("title_column", self.title_column, _TITLE, optional=True),
            Wanted("description_column", self.description_column, _DESCRIPTION, optional=True),
        ]
        archives, members, *captions = read_columns(path, wanted, limit=self.limit)
        texts = [column for column in captions if column is not None]
        if not texts:
            raise DataError(
                f"{path} has no column of captions", hint="set `title_column` or `description_column`"
            )
        refuse_blank(path, archives, "archive", texts[0])
        refuse_blank(path, members, "member", texts[0])
        return archives, members, texts


def _read_slip(
    path: Path, limit: int | None
) -> tuple[pa.LargeStringArray, pa.LargeStringArray, list[pa.Array]]:
    archives, members, titles, descriptions = [], [], [], []
    rows: Any = read_pickle(path)
    try:
        for number, title, description in rows[:limit]:
            name = f"{number:08d}"
            archives.append(f"images/{name[:2]}/{name[2:5]}.zip")
            members.append(f"{name[5:]}.jpg")
            titles.append(title)
            descriptions.append(description)
        columns = [
            pa.array(column, pa.large_string()) for column in (archives, members, titles, descriptions)
        ]
    except (TypeError, ValueError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"{path}, row {len(archives)}: {str(error)[:100]}", hint=_SLIP) from None
    if not len(columns[0]):
        raise DataError(f"{path} has no rows", hint=_SLIP)
    return columns[0], columns[1], [pc.fill_null(column, "") for column in columns[2:]]


def _captions(texts: list[pa.LargeStringArray]) -> Captions:
    """Those of a row's texts that are not blank, or the blank first."""
    if len(texts) == 1:
        return Captions(texts[0])
    there = np.stack([~is_blank(column).to_numpy(zero_copy_only=False) for column in texts], axis=1)
    there[:, 0] |= ~there.any(axis=1)
    rows = len(texts[0])
    place = np.stack([np.arange(rows) + column * rows for column in range(len(texts))], axis=1)
    return Captions.grouped(pa.concat_arrays(texts).take(pa.array(place[there])), there.sum(axis=1))

"""YFCC15M: OpenAI's choice out of YFCC100M, joined to the zip archives that SLIP and clip-rocket lay out.

Three published files go in: `yfcc100m_subset_data.tsv`, OpenAI's list of photo numbers;
`yfcc100m_dataset.txt`, the captions of all hundred million; `flickr_unique_ids.npy`, the numbers of those
that are in the archives. The place of a number in that array is the name of its image: that at 1,234,567 is
`567.jpg` in `images/01/234.zip`.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO
from urllib.parse import unquote_plus

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from protoclip_cli.core.errors import DataError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.store.files import disk_errors, flush_file

SCHEMA = pa.schema([(name, pa.string()) for name in ("archive", "member", "title", "description", "url")])
_LINES = 50_000
_COLUMNS = {25: 0, 24: 0, 23: -1}
"""How many columns a line of metadata has, by edition, and how far they are shifted against the newest one,
whose first is the number of the line."""
_PHOTO, _TITLE, _DESCRIPTION, _URL = 1, 8, 9, 16
_TAG, _LINK = re.compile(r"<[^>]*>"), re.compile(r"(?:https?://|www\.)\S+")


def plain_text(encoded: str) -> str:
    """A title or description as people read it: no escapes, no tags, no addresses, single spaces.

    >>> plain_text("My+%3Cb%3Ecat%3C%2Fb%3E+%26amp%3B+me+http%3A%2F%2Fa.b%2Fc")
    'My cat & me'
    """
    text = html.unescape(_TAG.sub("", unquote_plus(encoded)))
    return " ".join(_LINK.sub("", text).split())


def place_of(number: int) -> tuple[str, str]:
    """Archive and member of an image.

    >>> place_of(1234567)
    ('images/01/234.zip', '567.jpg')
    """
    name = f"{number:08d}"
    return f"images/{name[:2]}/{name[2:5]}.zip", f"{name[5:]}.jpg"


def join_yfcc(folder: Path, target: Path, beside: Path, reporter: Reporter) -> dict[str, int]:
    """Write the table that pairs of kind `yfcc_zip` read, whole or not at all.

    Args:
        folder: of the three files; the list and the metadata may be compressed with bzip2 or gzip.
        target: the .parquet file to write.
        beside: a path to write it at before it is whole.
        reporter: who is told.

    Returns:
        Counts, by what they count.

    Raises:
        DataError: a file is missing or not what it should be, or nothing fits together.
    """
    chosen = _chosen(_file(folder, "yfcc100m_subset_data.tsv"))
    places = _Places(_file(folder, "flickr_unique_ids.npy"))
    metadata = _file(folder, "yfcc100m_dataset.txt")
    have = np.flatnonzero(places.of(chosen) >= 0)
    wanted = chosen[have]
    if not len(wanted):
        raise DataError(
            f"none of the {len(chosen):,} photos of the list is in flickr_unique_ids.npy",
            hint="are the files of the same data set?",
        )
    found = seen = 0
    with disk_errors(f"writing {target}"):
        with pq.ParquetWriter(beside, SCHEMA, compression="zstd") as writer, _opened(metadata) as stream:
            for rows, lines in _rows_of(metadata, stream, wanted, places):
                seen += lines
                found += len(rows)
                if rows:
                    writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
                reporter.progress("photos", found, len(wanted), f"{seen:,} lines of metadata read")
        if not found:
            raise DataError(
                f"none of the {len(wanted):,} photos is in {metadata}", hint="is it the metadata of YFCC100M?"
            )
        flush_file(beside)
        beside.replace(target)
    return {
        "chosen": len(chosen),
        "not in the archives": len(chosen) - len(wanted),
        "not in the metadata": len(wanted) - found,
        "rows": found,
    }


class _Places:
    """Where each photo stands in the array of all photos that are in the archives."""

    def __init__(self, path: Path) -> None:
        try:
            numbers = np.load(path, allow_pickle=False)
            numbers = numbers.astype(np.int64)
        except (ValueError, OSError) as error:
            raise DataError(f"{path}: {error}", hint="it should be an array of photo numbers") from None
        if numbers.ndim != 1 or not len(numbers):
            raise DataError(f"{path} has the shape {numbers.shape}", hint="it should be (N,), photo numbers")
        self._order = np.argsort(numbers, kind="stable")
        self._sorted = numbers[self._order]

    def of(self, photos: NDArray[np.int64]) -> NDArray[np.int64]:
        """(m,) -> (m,), -1 for those that are not there."""
        at = np.searchsorted(self._sorted, photos).clip(max=len(self._sorted) - 1)
        return np.where(self._sorted[at] == photos, self._order[at], -1)


def _file(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}{suffix}" for suffix in ("", ".bz2", ".gz")):
        if path.is_file():
            return path
    without = (folder / name).with_suffix("")
    if name.endswith(".txt") and without.is_file():
        return without
    raise DataError(
        f"{folder} has no {name}",
        hint="it takes yfcc100m_subset_data.tsv, yfcc100m_dataset.txt and flickr_unique_ids.npy",
    )


def _opened(path: Path) -> IO[bytes]:
    import bz2
    import gzip

    if path.suffix == ".bz2":
        return bz2.open(path, "rb")
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _chosen(path: Path) -> NDArray[np.int64]:
    """(m,), sorted photo numbers: the second column of OpenAI's list."""
    with _opened(path) as stream:
        try:
            numbers = np.fromiter((int(line.split(b"\t", 2)[1]) for line in stream if line.strip()), np.int64)
        except (ValueError, IndexError):
            raise DataError(
                f"{path} is not OpenAI's list", hint="its lines are: line, photo number, hash, with tabs"
            ) from None
    return np.unique(numbers)


def _rows_of(
    path: Path, stream: IO[bytes], wanted: NDArray[np.int64], places: _Places
) -> Iterator[tuple[list[dict[str, str]], int]]:
    """Rows of the table for some lines of metadata at a time, and how many lines those were."""
    first = stream.readline().rstrip(b"\r\n").split(b"\t")
    if (shift := _COLUMNS.get(len(first))) is None:
        raise DataError(
            f"{path}: a line has {len(first)} columns",
            hint="the metadata of YFCC100M has 23 to 25, with tabs",
        )
    stream.seek(0)
    left = np.ones(len(wanted), bool)
    while lines := list(islice(stream, _LINES)):
        photos = np.array([_photo(line, _PHOTO + shift) for line in lines], np.int64)
        at = np.searchsorted(wanted, photos).clip(max=len(wanted) - 1)
        hits = np.flatnonzero((wanted[at] == photos) & left[at])
        # A photo that the metadata has twice is taken once.
        hits = hits[np.sort(np.unique(at[hits], return_index=True)[1])]
        left[at[hits]] = False
        numbers = places.of(photos[hits])
        texts = (lines[hit].decode(errors="replace").rstrip("\r\n").split("\t") for hit in hits)
        yield [_row(line, shift, int(n)) for line, n in zip(texts, numbers, strict=True)], len(lines)


def _photo(line: bytes, column: int) -> int:
    try:
        return int(line.split(b"\t", column + 1)[column])
    except (ValueError, IndexError):
        return -1


def _row(line: Sequence[str], shift: int, number: int) -> dict[str, str]:
    archive, member = place_of(number)
    texts = [plain_text(line[column + shift]) for column in (_TITLE, _DESCRIPTION)]
    url = line[_URL + shift]
    return {"archive": archive, "member": member, "title": texts[0], "description": texts[1], "url": url}

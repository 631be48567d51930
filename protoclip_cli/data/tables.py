"""Columns of text, such as image paths and captions, from a table in any of the usual forms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.captions import is_blank
from protoclip_cli.data.delimited import read_delimited, read_header

_BLOCK = 1 << 24
_BINARY = (".parquet", ".pq")
_LINES = (".jsonl", ".ndjson")
_GATHERED = b"protoclip.gathered"
"""Key in the metadata of a .parquet file."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to find one column."""

    key: str
    """The recipe key that names it."""
    asked: str | None
    """The name the user gave. None: the first alias that is there."""
    aliases: tuple[str, ...]
    """Usual names, in lower case, the most telling first."""
    optional: bool = False
    """Whether a table may do without, unless the user named it."""
    numbers: bool = False
    """Whether it may hold whole numbers too, which are read as text."""

    def matches(self, names: list[str]) -> list[int]:
        """Which columns are meant: one is right, none or several are not.

        >>> Wanted("image_column", None, ("filepath", "image")).matches(["id", "Image", "filepath"])
        [2]
        """
        if self.asked is not None:
            return [place for place, name in enumerate(names) if name == self.asked]
        plain = [name.strip().lower() for name in names]
        known = next((alias for alias in self.aliases if alias in plain), None)
        return [place for place, name in enumerate(plain) if name == known]

    def find(self, names: list[str], path: Path) -> int | None:
        """Which column it is; None: the table does without.

        Raises:
            DataError: there is none and there must be, or more than one.
        """
        found = self.matches(names)
        if len(found) == 1:
            return found[0]
        if not found and self.optional and self.asked is None:
            return None
        meant = f"named '{self.asked}'" if self.asked is not None else f"for `{self.key}`"
        shown = ", ".join(f"'{name[:40]}'" for name in names[:20]) + (", ..." if len(names) > 20 else "")
        if found:
            raise DataError(f"{path} has {len(found)} columns {meant}", hint=f"rename one; it has {shown}")
        raise DataError(
            f"{path} has no column {meant}",
            hint=f"set `{self.key}` (nearest: '{self._nearest(names)[:40]}'); the first row names {shown}",
        )

    def _nearest(self, names: list[str]) -> str:
        targets = self.aliases if self.asked is None else (self.asked.lower(),)

        def likeness(name: str) -> float:
            return max(SequenceMatcher(None, name.lower(), target).ratio() for target in targets)

        return max(names, key=likeness, default="")


_STATUS = Wanted("status", "status", ())


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a table, row by row, without nulls."""

    images: pa.LargeStringArray
    """Paths as written."""
    captions: pa.LargeStringArray
    empty_captions: int
    """How many captions are empty, blank or null."""
    without_image: int = 0
    """Rows left out because gathering found no image for them."""
    labels: pa.LargeStringArray | None = None
    """Classes as written, where they were asked for."""


def read_table(
    path: Path,
    image: Wanted,
    caption: Wanted,
    delimiter: str | None = None,
    limit: int | None = None,
    label: Wanted | None = None,
) -> Columns:
    """The image paths and captions of a table.

    Args:
        path: .parquet (or .pq), .jsonl (or .ndjson), or else delimited text.
        image: the column of paths.
        caption: the column of captions.
        delimiter: of delimited text. None: found in the first line.
        limit: keep only the first rows.
        label: the column of classes. None: they are not read.

    Raises:
        DataError: the table is missing, empty or not in the form it should have, or a path is empty.
    """
    statuses = _has_statuses(path)
    wanted = [one for one in (image, caption, _STATUS if statuses else None, label) if one is not None]
    columns = read_columns(path, wanted, delimiter, None if statuses else limit)
    found = dict(zip((one.key for one in wanted), columns, strict=True))
    images, captions, status = found[image.key], found[caption.key], found.get(_STATUS.key)
    labels = None if label is None else found[label.key]
    assert images is not None
    assert captions is not None
    missing = 0
    if status is not None:
        kept = pc.or_(pc.equal(status, "ok"), pc.invert(is_blank(images)))
        missing = len(images) - pc.sum(kept).as_py()
        if missing == len(images):
            raise DataError(f"{path} has no rows with an image", hint="see its column `status`")
        rows = np.flatnonzero(kept.to_numpy(zero_copy_only=False))[:limit]
        images, captions = images.take(pa.array(rows)), captions.take(pa.array(rows))
        labels = None if labels is None else labels.take(pa.array(rows))
    refuse_blank(path, images, "image path", captions)
    return Columns(images, captions, count_blank(captions), missing, labels)


def _has_statuses(path: Path) -> bool:
    """Whether `protoclip gather` wrote the table, which keeps rows without an image and says why."""
    if path.suffix.lower() not in _BINARY or not path.is_file():
        return False
    try:
        return _GATHERED in (pq.read_schema(path).metadata or {})
    except pa.ArrowInvalid:
        return False


def read_columns(
    path: Path, wanted: Sequence[Wanted], delimiter: str | None = None, limit: int | None = None
) -> list[pa.LargeStringArray | None]:
    """Some columns of a table, as text without nulls; None for those it does without.

    Args:
        path: .parquet (or .pq), .jsonl (or .ndjson), or else delimited text.
        wanted: which columns.
        delimiter: of delimited text. None: found in the first line.
        limit: keep only the first rows.

    Raises:
        DataError: the table is missing, empty or not in the form it should have.
    """
    _check(path)
    match path.suffix.lower():
        case suffix if suffix in _BINARY:
            columns = _read_parquet(path, wanted)
        case suffix if suffix in _LINES:
            columns = _read_jsonl(path, wanted)
        case _:
            columns = _read_text(path, wanted, delimiter)
    if not any(columns):
        raise DataError(f"{path} has no rows", hint="a table has one line of column names and then its rows")
    texts = [
        None if column is None else _as_text(column, path, one, limit)
        for column, one in zip(columns, wanted, strict=True)
    ]
    # What reading and joining the pieces took would otherwise stay with this process.
    del columns
    pa.default_memory_pool().release_unused()
    return texts


def refuse_blank(path: Path, texts: pa.LargeStringArray, what: str, beside: pa.LargeStringArray) -> None:
    """Name the first row in which a text is missing.

    Args:
        path: of the table.
        texts: a column.
        what: it holds.
        beside: the column that line breaks inside values are likely in.

    Raises:
        DataError: there is such a row.
    """
    first = pc.index(is_blank(texts), True).as_py()
    if first < 0:
        return
    place = f"row {first + 1}"
    if path.suffix.lower() in _LINES:
        place = f"line {first + 1}"
    elif path.suffix.lower() not in _BINARY:
        breaks = pc.sum(pc.count_substring(beside.slice(0, first), "\n")).as_py() or 0
        place = f"line {first + 2 + breaks}"
    raise DataError(f"{path}, {place}: no {what}", hint="fill it in or remove the row")


def count_blank(texts: pa.LargeStringArray) -> int:
    """How many texts are empty or blank."""
    return int(pc.sum(is_blank(texts)).as_py() or 0)


def _check(path: Path) -> None:
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a table", hint="set `path` to a file inside it")
    if not path.exists():
        raise DataError(
            f"there is no table at {path}", hint="set `path` to a .tsv, .csv, .parquet or .jsonl file"
        )
    if not path.stat().st_size:
        raise DataError(f"{path} is empty", hint="a table has one line of column names and then its rows")


def _read_text(path: Path, wanted: Sequence[Wanted], delimiter: str | None) -> list[pa.ChunkedArray | None]:
    def rate(names: list[str]) -> int:
        return sum(bool(one.matches(names)) for one in wanted)

    mark, names = read_header(path, delimiter, rate)
    places = [one.find(names, path) for one in wanted]
    there = sorted({place for place in places if place is not None})
    table = read_delimited(path, mark, len(names), there)
    return [None if place is None else table[str(place)] for place in places]


def _read_parquet(path: Path, wanted: Sequence[Wanted]) -> list[pa.ChunkedArray | None]:
    try:
        with pq.ParquetFile(path) as file:
            columns = _names(list(file.schema_arrow.names), path, wanted)
            table = file.read(columns=[name for name in columns if name is not None], use_threads=False)
    except pa.ArrowInvalid as error:
        raise _unreadable(path, error) from None
    return [None if name is None else table[name] for name in columns]


def _read_jsonl(path: Path, wanted: Sequence[Wanted]) -> list[pa.ChunkedArray | None]:
    import pyarrow.json as arrow_json

    with path.open("rb") as file:
        line = file.readline(_BLOCK).removeprefix(b"\xef\xbb\xbf")
    try:
        first = dict(json.loads(line))
        columns = _names(list(first), path, wanted)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}, line 1: not a JSON object", hint="write one object a line") from error
    fields = {
        name: pa.int64() if one.numbers and type(first.get(name)) is int else pa.string()
        for name, one in zip(columns, wanted, strict=True)
        if name is not None
    }
    try:
        table = arrow_json.read_json(
            path,
            arrow_json.ReadOptions(block_size=_BLOCK, use_threads=False),
            arrow_json.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid as error:
        raise _unreadable(path, error) from None
    return [None if name is None else table[name] for name in columns]


def _names(names: list[str], path: Path, wanted: Sequence[Wanted]) -> list[str | None]:
    places = [one.find(names, path) for one in wanted]
    return [None if place is None else names[place] for place in places]


def _as_text(column: pa.ChunkedArray, path: Path, wanted: Wanted, limit: int | None) -> pa.LargeStringArray:
    """One array of text without nulls, holding no more memory than its rows."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    fits = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    if not (fits or (wanted.numbers and pa.types.is_integer(kind))):
        raise DataError(
            f"{path}: the column for `{wanted.key}` holds {kind}, not text", hint="name another column"
        )
    text = column.cast(pa.large_string()).combine_chunks()
    if text.null_count:
        text = pc.fill_null(text, "")
    if limit is not None and limit < len(text):
        text = text.take(pa.array(np.arange(limit)))
    return text


def _unreadable(path: Path, error: Exception) -> DataError:
    said = " ".join(str(error).split())[:200]
    return DataError(f"{path} cannot be read: {said}", hint="check that its suffix says what it is")

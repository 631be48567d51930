"""Image paths and captions from a table in any of the usual forms, as Arrow columns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.delimited import read_delimited, read_header

_BLOCK = 1 << 24


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to find one column."""

    key: str
    """The recipe key that names it."""
    asked: str | None
    """The name the user gave. None: the first alias that is there."""
    aliases: tuple[str, ...]
    """Usual names, in lower case, the most telling first."""

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

    def find(self, names: list[str], path: Path) -> int:
        """Which column it is.

        Raises:
            DataError: there is none, or more than one.
        """
        found = self.matches(names)
        if len(found) == 1:
            return found[0]
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


@dataclass(frozen=True, slots=True)
class Columns:
    """Two columns of a table, row by row, without nulls."""

    images: pa.LargeStringArray
    """Paths as written."""
    captions: pa.LargeStringArray
    empty_captions: int
    """How many captions are empty, blank or null."""


def read_table(
    path: Path, image: Wanted, caption: Wanted, delimiter: str | None = None, limit: int | None = None
) -> Columns:
    """The image paths and captions of a table.

    Args:
        path: .parquet (or .pq), .jsonl (or .ndjson), or else delimited text.
        image: the column of paths.
        caption: the column of captions.
        delimiter: of delimited text. None: found in the first line.
        limit: keep only the first rows.

    Raises:
        DataError: the table is missing, empty or not in the form it should have, or a path is empty.
    """
    _check(path)
    match path.suffix.lower():
        case ".parquet" | ".pq":
            table, start = _read_parquet(path, image, caption), None
        case ".jsonl" | ".ndjson":
            table, start = _read_jsonl(path, image, caption), 1
        case _:
            table, start = _read_text(path, image, caption, delimiter), 2
    if not len(table):
        raise DataError(f"{path} has no rows", hint="a table has one line of column names and then its rows")
    images = _as_text(table[0], path, image, limit)
    captions = _as_text(table[1], path, caption, limit)
    _refuse_empty_paths(images, captions, path, start)
    empty = pc.sum(_blank(captions)).as_py()
    # What reading and joining the pieces took would otherwise stay with this process.
    del table
    pa.default_memory_pool().release_unused()
    return Columns(images, captions, empty)


def _check(path: Path) -> None:
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a table", hint="set `path` to a file inside it")
    if not path.exists():
        raise DataError(
            f"there is no table at {path}", hint="set `path` to a .tsv, .csv, .parquet or .jsonl file"
        )
    if not path.stat().st_size:
        raise DataError(f"{path} is empty", hint="a table has one line of column names and then its rows")


def _read_text(path: Path, image: Wanted, caption: Wanted, delimiter: str | None) -> pa.Table:
    def rate(names: list[str]) -> int:
        return bool(image.matches(names)) + bool(caption.matches(names))

    mark, names = read_header(path, delimiter, rate)
    places = image.find(names, path), caption.find(names, path)
    table = read_delimited(path, mark, len(names), sorted(set(places)))
    return table.select([str(place) for place in places])


def _read_parquet(path: Path, image: Wanted, caption: Wanted) -> pa.Table:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = list(file.schema_arrow.names)
            columns = [names[wanted.find(names, path)] for wanted in (image, caption)]
            return file.read(columns=columns, use_threads=False).select(columns)
    except pa.ArrowInvalid as error:
        raise _unreadable(path, error) from None


def _read_jsonl(path: Path, image: Wanted, caption: Wanted) -> pa.Table:
    import pyarrow.json as arrow_json

    with path.open("rb") as file:
        line = file.readline(_BLOCK).removeprefix(b"\xef\xbb\xbf")
    try:
        names = list(dict(json.loads(line)))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}, line 1: not a JSON object", hint="write one object a line") from error
    columns = [names[wanted.find(names, path)] for wanted in (image, caption)]
    schema = pa.schema([(name, pa.string()) for name in dict.fromkeys(columns)])
    try:
        return arrow_json.read_json(
            path,
            arrow_json.ReadOptions(block_size=_BLOCK, use_threads=False),
            arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        ).select(columns)
    except pa.ArrowInvalid as error:
        raise _unreadable(path, error) from None


def _as_text(column: pa.ChunkedArray, path: Path, wanted: Wanted, limit: int | None) -> pa.LargeStringArray:
    """One array of text without nulls, holding no more memory than its rows."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise DataError(
            f"{path}: the column for `{wanted.key}` holds {kind}, not text", hint="name another column"
        )
    text = column.cast(pa.large_string()).combine_chunks()
    if text.null_count:
        text = pc.fill_null(text, "")
    if limit is not None and limit < len(text):
        text = text.take(pa.array(np.arange(limit)))
    return text


def _blank(texts: pa.LargeStringArray) -> pa.BooleanArray:
    return pc.or_(pc.equal(texts, ""), pc.utf8_is_space(texts))


def _refuse_empty_paths(
    images: pa.LargeStringArray, captions: pa.LargeStringArray, path: Path, start: int | None
) -> None:
    first = pc.index(_blank(images), True).as_py()
    if first < 0:
        return
    place = f"row {first + 1}"
    if start is not None:
        breaks = pc.sum(pc.count_substring(captions.slice(0, first), "\n")).as_py() or 0
        place = f"line {start + first + (breaks if start == 2 else 0)}"
    raise DataError(f"{path}, {place}: no image path", hint="fill it in or remove the row")


def _unreadable(path: Path, error: Exception) -> DataError:
    said = " ".join(str(error).split())[:200]
    return DataError(f"{path} cannot be read: {said}", hint="check that its suffix says what it is")

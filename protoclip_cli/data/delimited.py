"""Tables as text, one row a line, read into Arrow columns.

Quotes. A comma, semicolon or pipe file follows RFC 4180: a value may be put in double quotes, with quotes
inside doubled, and may then hold delimiters and line breaks. Tab files come in two dialects that look alike:
written by pandas, with quotes, or joined by research code, where a quote is only a character and need not be
closed. So in a tab file a line is a row as long as every line has the right number of columns, and a value is
unquoted only if it is quoted correctly from its first to its last character. Only when the lines do not fit,
quotes may span tabs and lines. In any file, a value that spans lines is believed only if every quote of the
file is in its place; otherwise one unclosed quote would swallow rows without a word.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray

from protoclip_cli.core.errors import DataError

DELIMITERS = "\t,;|"
_BOM = b"\xef\xbb\xbf"
_BREAKS = (10, 13)
_QUOTE = ord('"')
_BLOCK = 1 << 24
_PIECE = 1 << 24


def read_header(path: Path, delimiter: str | None, rate: Callable[[list[str]], int]) -> tuple[str, list[str]]:
    """The delimiter of a table and its column names, from its first line.

    Args:
        path: the table.
        delimiter: None takes the one of `DELIMITERS` under which the names are rated highest, and of equals
            the one that makes most columns.
        rate: how good a list of names is.

    Raises:
        DataError: the first line is not text.
    """
    with path.open("rb") as file:
        line = file.readline(1 << 20).removeprefix(_BOM)
    try:
        text = line.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise _not_utf8(path) from None
    if "\0" in text:
        raise _not_utf8(path)
    splits = {mark: next(csv.reader([text], delimiter=mark), []) for mark in delimiter or DELIMITERS}
    best = max(splits, key=lambda mark: (rate(splits[mark]), len(splits[mark])))
    return best, splits[best]


def read_delimited(path: Path, delimiter: str, columns: int, wanted: Sequence[int]) -> pa.Table:
    """Some columns of a table, as text, under their numbers as names.

    Args:
        path: the table; its first line names the columns.
        delimiter: one character.
        columns: how many columns there are.
        wanted: which of them to read.

    Raises:
        DataError: a row has another number of columns, a quote is not closed, or it is not UTF-8.
    """
    table, misfit = _parse(path, delimiter, columns, wanted, quotes=delimiter != "\t")
    if delimiter == "\t":
        if misfit is None:
            return pa.table({name: _unquote(table[name]) for name in table.column_names})
        table, still = _parse(path, delimiter, columns, wanted, quotes=True)
        misfit = still and misfit
    if misfit is not None:
        raise DataError(
            f"{path}, row {misfit.number - 1}: {misfit.actual_columns} columns instead of {columns}, "
            f"in {misfit.text[:60]!r}",
            hint="put values that hold the delimiter or a line break in double quotes, or set `delimiter`",
        )
    layout = _survey(path, delimiter)
    if layout.lines > table.num_rows + 1 and layout.misplaced is not None:
        raise DataError(
            f"{path}, line {layout.misplaced}: a quote is not closed or not doubled, and rows are lost in it",
            hint='inside a quoted value write "" for each quote',
        )
    return table


def _parse(
    path: Path, delimiter: str, columns: int, wanted: Sequence[int], *, quotes: bool
) -> tuple[pa.Table, arrow_csv.InvalidRow | None]:
    """The table without the rows that do not fit, and the first of these."""
    misfits: list[arrow_csv.InvalidRow] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        if not misfits:
            misfits.append(row)
        return "skip"

    names = [str(number) for number in range(columns)]
    try:
        # Several threads would gain a tenth and lose the line numbers.
        with arrow_csv.open_csv(
            path,
            arrow_csv.ReadOptions(column_names=names, skip_rows=1, use_threads=False, block_size=_BLOCK),
            arrow_csv.ParseOptions(
                delimiter=delimiter,
                quote_char='"' if quotes else False,
                double_quote=quotes,
                newlines_in_values=quotes,
                invalid_row_handler=note,
            ),
            arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.large_string()),
                include_columns=[names[number] for number in wanted],
            ),
        ) as reader:
            table = reader.read_all()
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise _not_utf8(path) from None
        if "Could not skip" in str(error):  # A header without a line break behind it.
            empty = pa.array([], pa.large_string())
            return pa.table({names[number]: empty for number in wanted}), None
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from None
    return table, misfits[0] if misfits else None


def _unquote(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Each value without its quotes, if these are what RFC 4180 would have written."""
    if not pc.any(pc.starts_with(texts, '"')).as_py():
        return texts
    quoted = pc.match_substring_regex(texts, r'^"(?:[^"]|"")*"$')
    inner = pc.replace_substring(pc.utf8_slice_codeunits(texts, 1, -1), '""', '"')
    return pc.if_else(quoted, inner, texts)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the lines and quotes of a file are."""

    lines: int
    """Lines that are not blank."""
    misplaced: int | None
    """Line of the first quote that RFC 4180 does not allow there. None: there is none."""


def _survey(path: Path, delimiter: str) -> _Layout:
    """Count lines, and check that quotes alternate between opening and closing a value.

    An opening quote stands behind a delimiter or line break and a closing one before it; the two quotes of a
    doubled one close and open again.
    """
    data: NDArray[np.uint8] = np.memmap(path, np.uint8, "r")
    if data[:3].tobytes() == _BOM:
        data = data[3:]
    border = np.zeros(256, bool)
    border[[ord(delimiter), *_BREAKS, _QUOTE]] = True
    lines, quotes, misplaced, last = 0, 0, None, 0
    for start in range(0, len(data), _PIECE):
        piece = _with_neighbours(data, start, start + _PIECE)
        breaks = (piece == _BREAKS[0]) | (piece == _BREAKS[1])
        lines += int(np.count_nonzero(breaks[:-2] & ~breaks[1:-1]))
        places = np.flatnonzero(piece[1:-1] == _QUOTE)
        if len(places) and misplaced is None:
            opens = (quotes + np.arange(len(places))) % 2 == 0
            wrong = ~border[np.where(opens, piece[places], piece[places + 2])]
            if wrong.any():
                misplaced = start + int(places[wrong][0])
            last = start + int(places[-1])
        quotes += len(places)
    if misplaced is None and quotes % 2:
        misplaced = last
    return _Layout(lines, None if misplaced is None else _line(data, misplaced))


def _with_neighbours(data: NDArray[np.uint8], start: int, stop: int) -> NDArray[np.uint8]:
    """A piece of a file with the byte before and the byte behind it; a line break where there is none."""
    before = data[start - 1 : start] if start else np.array(_BREAKS[:1], np.uint8)
    behind = data[stop : stop + 1] if stop < len(data) else np.array(_BREAKS[:1], np.uint8)
    return np.concatenate([before, data[start:stop], behind])


def _line(data: NDArray[np.uint8], place: int) -> int:
    return 1 + int(np.count_nonzero(data[:place] == _BREAKS[0]))


def _not_utf8(path: Path) -> DataError:
    return DataError(f"{path} is not text in UTF-8", hint="save the table as UTF-8, or as .parquet")

"""Tables of texts whose first line names the columns."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.text_files import LeftOut, numbered_lines


class _Tabs(csv.excel_tab):
    quoting = csv.QUOTE_NONE


def named_fields(
    path: Path, columns: Sequence[str], left_out: LeftOut
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Some fields of every row, with the number of the line it ends on.

    Between fields stand tabs, if the first line has one, or else commas. Among tabs a quote is a character
    like any other; among commas it is as RFC 4180 has it, so a field may hold line breaks.

    Args:
        path: of the table.
        columns: names of the fields, in the order they are wanted.
        left_out: is told which rows have another number of fields.

    Raises:
        DataError: the table is empty or lacks a column, or a quote is not closed.
    """
    lines = numbered_lines(path, left_out, keep_blank=True)
    _, header = next(lines, (0, ""))
    delimiter = "\t" if "\t" in header else ","
    names = next(csv.reader([header], delimiter=delimiter), [])
    if absent := [column for column in columns if column not in names]:
        raise DataError(
            f"{path} has no column {', '.join(absent)}",
            hint=f"its first line names {', '.join(names[:20]) or 'nothing'}",
        )
    places = [names.index(column) for column in columns]
    number = 1

    def text() -> Iterator[str]:
        nonlocal number
        for at, line in lines:
            number = at
            yield line + "\n"

    try:
        for fields in csv.reader(text(), _Tabs if delimiter == "\t" else csv.excel, strict=True):
            if len(fields) == len(names):
                yield number, tuple(fields[place] for place in places)
            elif fields:
                left_out.add(path, number, f"it has not {len(names)} fields")
    except csv.Error as error:
        # An unclosed quote would swallow all rows behind it without a word.
        raise DataError(
            f"{path}, line {number}: {error}", hint='inside a quoted value write "" for each quote'
        ) from None

"""JSON lines: appended whole, cut back on resume."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protoclip_cli.store.files import disk_errors, write_bytes
from protoclip_cli.store.locks import locked

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Lines:
    """The rows of a file of JSON lines."""

    rows: tuple[Row, ...] = ()
    bad: int = 0
    """Lines that are no rows, a half-written last one not counted."""


def parse_lines(lines: Sequence[bytes]) -> Lines:
    """Rows of lines, as far as they go.

    Args:
        lines: the last is what stands after the last line break, which a run may just be writing.

    >>> parse_lines([b'{"step": 1}', b"", b"no row", b'{"step": 2'])
    Lines(rows=({'step': 1},), bad=1)
    """
    rows, bad = [], 0
    for place, line in enumerate(lines):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            bad += bool(line.strip()) and place < len(lines) - 1
            continue
        if isinstance(row, dict):
            rows.append(row)
        else:
            bad += 1
    return Lines(tuple(rows), bad)


def append_lines(path: Path, rows: Iterable[Row]) -> None:
    """Append rows, on a line of their own even if a crash has cut the last line off.

    The file is locked meanwhile: rows of two processes never mix.
    """
    text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    if not text:
        return
    with disk_errors(f"writing {path}"), locked(path) as handle:
        content = text.encode()
        if _ends_amid_a_line(handle):
            content = b"\n" + content
        while content:
            content = content[os.write(handle, content) :]


def _ends_amid_a_line(handle: int) -> bool:
    if not os.fstat(handle).st_size:
        return False
    os.lseek(handle, -1, os.SEEK_END)
    return os.read(handle, 1) != b"\n"


def read_lines(path: Path) -> Iterator[Row]:
    """The rows of a file; a last line that was cut off by a crash is left out, a missing file has none."""
    if not path.is_file():
        return
    yield from parse_lines(path.read_bytes().split(b"\n")).rows


def keep_lines(path: Path, keep: Callable[[Row], bool]) -> None:
    """Rewrite a file with the rows to keep."""
    if not path.is_file():
        return
    with locked(path):
        rows = [row for row in read_lines(path) if keep(row)]
        write_bytes(path, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows).encode())

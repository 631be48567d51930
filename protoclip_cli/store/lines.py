"""JSON lines: appended whole, cut back on resume."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from protoclip_cli.store.files import disk_errors, write_bytes
from protoclip_cli.store.locks import locked

Row = dict[str, Any]


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
    for line in path.read_bytes().split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def keep_lines(path: Path, keep: Callable[[Row], bool]) -> None:
    """Rewrite a file with the rows to keep."""
    if not path.is_file():
        return
    with locked(path):
        rows = [row for row in read_lines(path) if keep(row)]
        write_bytes(path, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows).encode())

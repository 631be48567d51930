"""JSON lines: appended whole, cut back on resume."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from protoclip_cli.store.files import disk_errors, write_bytes

Row = dict[str, Any]


def append_lines(path: Path, rows: Iterable[Row]) -> None:
    """Append rows in one write."""
    text = "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)
    if not text:
        return
    with disk_errors(f"writing {path}"):
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(handle, text.encode())
        finally:
            os.close(handle)


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
    if path.is_file():
        rows = [row for row in read_lines(path) if keep(row)]
        write_bytes(path, "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows).encode())

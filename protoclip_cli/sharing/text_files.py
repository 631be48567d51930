"""Text files of runs that may still be written, or were cut off: read as far as they go.

A file of JSON lines may end amid a line, because a run is writing it; that is no mistake. Anything else that
cannot be read is counted.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import yaml

from protoclip_cli.store.lines import Lines, Row, parse_lines

_READ_WHOLE = 2**25
_TAIL = 2**16
# LibYAML reads a recipe some ten times faster, which thousands of runs feel.
_YAML: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_rows(path: Path) -> Lines:
    """All rows of a file; a missing file has none.

    >>> read_rows(Path("there is no such file")).rows
    ()
    """
    try:
        return parse_lines(path.read_bytes().split(b"\n"))
    except OSError:
        return Lines()


def read_sample(path: Path, most: int) -> Lines:
    """All rows of a file, or of a file of more than 32 MB rows at even distances.

    Args:
        path: the file.
        most: how many rows are enough.
    """
    try:
        size = path.stat().st_size
        if size <= _READ_WHOLE:
            return read_rows(path)
        with path.open("rb") as file:
            lines = []
            for place in range(most):
                file.seek(size * place // most)
                if place:
                    file.readline()  # the rest of a line
                lines.append(file.readline())
            return parse_lines([*lines, b""])
    except OSError:
        return Lines()


def last_row(path: Path) -> Row:
    """The last whole row, or nothing. Only the end of the file is read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL), os.SEEK_SET)
            rows = parse_lines(file.read().split(b"\n")).rows
    except OSError:
        return {}
    return rows[-1] if rows else {}


def read_mapping(path: Path) -> tuple[Row, str | None]:
    """The mapping in a JSON or YAML file, and what is wrong with the file; a missing one is empty."""
    try:
        text = path.read_text(encoding="utf-8")
        value = yaml.load(text, _YAML) if path.suffix == ".yaml" else json.loads(text)
    except FileNotFoundError:
        return {}, None
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}, f"{path.name} cannot be read"
    return (value, None) if isinstance(value, dict) else ({}, f"{path.name} is not keys with values")


def read_text(path: Path) -> str:
    """The text of a file, whatever bytes it holds; a missing one is empty."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def number(value: Any) -> float | None:
    """A finite number, or None for anything else that stands where one should.

    >>> number(2), number(float("nan")), number("2"), number(True)
    (2.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None

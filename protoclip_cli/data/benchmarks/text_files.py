"""Lines of the files that text benchmarks come in, with an account of those that cannot be used."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from protoclip_cli.core.errors import DataError

_SHOWN = 5


class LeftOut:
    """Lines that were left out, by file and reason, for the notes of a benchmark."""

    def __init__(self) -> None:
        """Start with none."""
        self._lines: dict[tuple[str, str], list[int]] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, path: Path, line: int, reason: str) -> None:
        """Count a line, from 1; the reason completes `3 lines of x.tsv are left out: ...`."""
        at = (path.name, reason)
        self._counts[at] = self._counts.get(at, 0) + 1
        if len(first := self._lines.setdefault(at, [])) < _SHOWN:
            first.append(line)

    def notes(self) -> tuple[str, ...]:
        """One sentence for each file and reason.

        >>> left = LeftOut()
        >>> left.add(Path("a/q.tsv"), 7, "the query is empty")
        >>> left.notes()
        ('1 line of q.tsv is left out: the query is empty (line 7)',)
        """
        return tuple(_sentence(*at, self._counts[at], lines) for at, lines in self._lines.items())


def _sentence(name: str, reason: str, count: int, lines: list[int]) -> str:
    many = count > 1
    shown = ", ".join(map(str, lines)) + (", ..." if count > len(lines) else "")
    return (
        f"{count:,} line{'s' if many else ''} of {name} {'are' if many else 'is'} left out: {reason} "
        f"(line{'s' if many else ''} {shown})"
    )


def need(path: Path, hint: str) -> Path:
    """The path of a file, if it is there.

    Args:
        path: of the file; `~` is the user's folder.
        hint: what to put where.

    Raises:
        DataError: it is not.
    """
    path = path.expanduser()
    if not path.is_file():
        raise DataError(f"there is no file {path}", hint=hint)
    return path


def numbered_lines(path: Path, left_out: LeftOut, *, keep_blank: bool = False) -> Iterator[tuple[int, str]]:
    """The lines of a text file, or of one in gzip, with their numbers from 1 and without their line breaks.

    Args:
        path: a name that ends in `.gz` is unpacked.
        left_out: is told which lines are not UTF-8.
        keep_blank: whether lines without a letter count, as where two files go line by line.
    """
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        try:
            for number, line in enumerate(file, 1):
                try:
                    text = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
                except UnicodeDecodeError:
                    left_out.add(path, number, "it is not UTF-8")
                    text = ""
                if text.strip() or keep_blank:
                    yield number, text
        except (EOFError, gzip.BadGzipFile) as error:
            raise DataError(f"{path} cannot be unpacked: {error}", hint="fetch it again") from None


def numbered_objects(path: Path, left_out: LeftOut) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of a file with one a line, with the numbers of their lines.

    Args:
        path: of the file.
        left_out: is told which lines are no objects.
    """
    for number, line in numbered_lines(path, left_out):
        try:
            value = json.loads(line)
        except ValueError:
            value = None
        if isinstance(value, dict):
            yield number, value
        else:
            left_out.add(path, number, "it is not a JSON object")


def number_in(text: str) -> float | None:
    """The finite number that a text is, or None.

    >>> number_in(" 2.5"), number_in("nan"), number_in("many")
    (2.5, None, None)
    """
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) != float("inf") and value == value else None  # noqa: PLR0124 (NaN)

"""What became of each row, one line of JSON each, in the order in which it was known.

The last line of a row counts. A line is written after the image it speaks of, so a row whose line was lost is
fetched again and nothing is ever half there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.gathering.outcomes import Outcome
from protoclip_cli.store.files import disk_errors
from protoclip_cli.store.lines import append_lines

CODES = tuple(Outcome)
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one row."""

    row: int
    outcome: Outcome
    detail: str | None = None
    """More than the outcome says, such as the code of an answer."""
    file: str | None = None
    """Relative to the folder, if there is an image."""
    sha256: str | None = None
    """Of the file."""
    width: int | None = None
    height: int | None = None
    original_width: int | None = None
    original_height: int | None = None


class Journal:
    """The journal of a folder. One process writes it."""

    def __init__(self, path: Path, rows: int) -> None:
        """Read what is there.

        Args:
            path: the file; it need not exist.
            rows: how many rows the list has.
        """
        self.path = path
        self._outcomes: NDArray[np.int8] = np.full(rows, _UNKNOWN, np.int8)
        self._places: NDArray[np.int64] = np.full(rows, -1, np.int64)
        self._waiting: list[Entry] = []
        self._size = 0
        self._read()

    def _read(self) -> None:
        """Remember where the last line of each row is; cut a half-written last line off."""
        if not self.path.is_file():
            return
        place = 0
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                entry = json.loads(line)
                self._remember(entry["row"], Outcome(entry["outcome"]), place)
                place += len(line)
        if place < self.path.stat().st_size:
            with disk_errors(f"repairing {self.path}"):
                os.truncate(self.path, place)
        self._size = place

    def _remember(self, row: int, outcome: Outcome, place: int) -> None:
        self._outcomes[row], self._places[row] = CODES.index(outcome), place

    def add(self, entry: Entry) -> None:
        """Note an outcome; `flush` writes it."""
        self._waiting.append(entry)

    def flush(self) -> None:
        """Write what was noted, and wait for the disk."""
        if not self._waiting:
            return
        append_lines(self.path, (_plain(entry) for entry in self._waiting))
        with disk_errors(f"writing {self.path}"), self.path.open("rb") as file:
            os.fsync(file.fileno())
            file.seek(self._size)
            for entry, line in zip(self._waiting, file, strict=True):
                self._remember(entry.row, entry.outcome, self._size)
                self._size += len(line)
        self._waiting = []

    def counts(self) -> dict[str, int]:
        """Rows by outcome, the most frequent first; rows without one are not counted."""
        numbers = np.bincount(self._outcomes[self._outcomes >= 0], minlength=len(CODES))
        found = {CODES[code].value: int(numbers[code]) for code in np.argsort(-numbers, kind="stable")}
        return {name: count for name, count in found.items() if count}

    def to_do(self, again: Callable[[Outcome], bool]) -> NDArray[np.int64]:
        """The rows without an outcome, and those whose outcome is to be tried again, in order."""
        wanted = np.array([again(code) for code in CODES])
        done = self._outcomes >= 0
        return np.flatnonzero(~done | (done & wanted[self._outcomes]))

    def entries(self, rows: Iterable[int]) -> Iterator[Entry]:
        """What became of some rows.

        Raises:
            KeyError: nothing is known of one.
        """
        if not self.path.is_file():
            return
        with self.path.open("rb") as file:
            for row in rows:
                if self._places[row] < 0:
                    raise KeyError(row)
                file.seek(self._places[row])
                values = json.loads(file.readline())
                yield Entry(**{**values, "outcome": Outcome(values["outcome"])})


def _plain(entry: Entry) -> dict[str, object]:
    return {name: value for name, value in asdict(entry).items() if value is not None}

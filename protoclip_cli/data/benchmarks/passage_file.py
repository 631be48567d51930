"""A corpus in a file: one passage a line, read in chunks, so that it never is in memory as a whole."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.text_files import LeftOut, numbered_lines


@dataclass(frozen=True, slots=True)
class PassageFile:
    """The passages of a file that are used, in its order."""

    path: Path
    lines: NDArray[np.int64]
    """Their line numbers, rising."""

    def __len__(self) -> int:
        """How many there are."""
        return len(self.lines)

    def chunks(self, size: int) -> Iterator[list[str]]:
        """All passages, at most so many at a time."""
        wanted, chunk = 0, []
        for number, line in numbered_lines(self.path, LeftOut()):
            if wanted == len(self.lines):
                break
            if number != self.lines[wanted]:
                continue
            wanted += 1
            chunk.append(line.split("\t", 1)[1])
            if len(chunk) == size:
                yield chunk
                chunk = []
        if chunk:
            yield chunk


def scan_passages(
    path: Path, judged: Collection[str], limit: int | None, left_out: LeftOut
) -> tuple[PassageFile, dict[str, int]]:
    """Look through a corpus once: which lines are used, and where the judged passages are.

    A passage costs 16 bytes, however long it is.

    Args:
        path: lines of a number or name, a tab, and a text.
        judged: names of passages that must be used.
        limit: how many others are used, the first ones. None: all.
        left_out: is told which lines are no passages.

    Returns:
        The corpus, and the row in it of each judged passage that is there.

    Raises:
        DataError: two passages have one name, or there is none.
    """
    lines, names = array("q"), array("q")
    rows: dict[str, int] = {}
    others = 0
    for number, line in numbered_lines(path, left_out):
        name, tab, text = line.partition("\t")
        if not tab or not name:
            left_out.add(path, number, "it is not a passage's number, a tab and its text")
            continue
        names.append(hash(name))
        if not text.strip():
            left_out.add(path, number, "the passage is empty")
            continue
        if name in judged:
            rows.setdefault(name, len(lines))
        elif limit is not None and others >= limit:
            continue
        else:
            others += 1
        lines.append(number)
    if not lines:
        raise DataError(f"{path} has no passages", hint="; ".join(left_out.notes()) or None)
    _refuse_twice(path, np.array(names, np.int64))
    return PassageFile(path, np.array(lines, np.int64)), rows


def _refuse_twice(path: Path, hashes: NDArray[np.int64]) -> None:
    """Hashes say which names may be there twice; only those are looked at again."""
    values, counts = np.unique(hashes, return_counts=True)
    suspects = frozenset(values[counts > 1].tolist())
    if not suspects:
        return

    def suspected() -> Iterator[tuple[int, str]]:
        for number, line in numbered_lines(path, LeftOut()):
            name, tab, _ = line.partition("\t")
            if tab and hash(name) in suspects:
                yield number, name

    refuse_twice(path, suspected(), lambda name: f"passage {name}")


def refuse_twice(path: Path, names: Iterator[tuple[int, str]], called: Callable[[str], str]) -> None:
    """Refuse a name that two lines have.

    Args:
        path: of the file.
        names: line numbers and names.
        called: what a name is called in the message.

    Raises:
        DataError: there is such a name.
    """
    seen: dict[str, int] = {}
    for number, name in names:
        if (first := seen.setdefault(name, number)) != number:
            raise DataError(
                f"{path}, lines {first} and {number}: {called(name)} is there twice",
                hint="remove one of them, or give it another number",
            )

"""Features as an encoder gives them, in a file that remembers what is done, so that work can be continued."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.compute.processes import is_main, rank, wait_for_all, world
from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.store.files import disk_errors
from protoclip_cli.store.lines import Row, append_lines, read_lines

_CHUNK = 2048
_FILE, _DONE = "features.bin", "done_*.jsonl"


class RawFeatures:
    """Rows in chunks. Each process writes chunks of its own into one file, and then that it did."""

    def __init__(self, folder: Path, rows: int, width: int, dtype: str) -> None:
        """Make the file, or go on with it. Collective."""
        self.folder, self.rows, self.width = folder, rows, width
        self._dtype = np.dtype(dtype)
        self._file = folder / _FILE
        self._row_bytes = width * self._dtype.itemsize
        if is_main():
            self._prepare()
        wait_for_all()
        self._known = {int(line["chunk"]) for line in self._lines()}
        self.done = sum(len(self._chunk(number)) for number in self._known)
        """Rows done, on all processes together as far as this one knows."""
        wait_for_all()

    def _prepare(self) -> None:
        """Make the file at its full size; one of another size is of another encoder."""
        size = self.rows * self._row_bytes
        with disk_errors(f"making {self._file}"):
            if self._file.is_file() and self._file.stat().st_size != size:
                shutil.rmtree(self.folder)
            self.folder.mkdir(exist_ok=True)
            if not self._file.is_file():
                for old in self.folder.glob(_DONE):
                    old.unlink()
                beside = self.folder / ".features.tmp"
                with beside.open("wb") as file:
                    file.truncate(size)
                beside.replace(self._file)

    def rounds(self) -> Iterator[range | None]:
        """This process's chunks that are still to be encoded.

        All processes get as many, so that they can talk between two; None where one has no more.
        """
        numbers = range(-(-self.rows // _CHUNK))
        left = [number for number in numbers if number not in self._known]
        for start in range(0, len(left), world()):
            mine = left[start + rank() : start + rank() + 1]
            yield self._chunk(mine[0]) if mine else None

    def write(self, chunk: range, rows: NDArray[np.float32], **counts: int) -> None:
        """Keep the features of a chunk, and what was counted on the way.

        Raises:
            ProtoclipError: one is not finite.
            ResourceError: the disk is full.
        """
        with np.errstate(over="ignore"):
            kept = np.ascontiguousarray(rows, self._dtype)
        if bad := int((~np.isfinite(kept)).any(axis=1).sum()):
            raise ProtoclipError(
                f"the teacher's features of {bad} captions are not finite, the first from caption "
                f"{chunk.start + int((~np.isfinite(kept)).any(axis=1).argmax())}",
                hint="compute in another precision (bf16, fp32), and store float32",
            )
        with disk_errors(f"writing {self._file}"), self._file.open("r+b") as file:
            file.seek(chunk.start * self._row_bytes)
            file.write(kept.data)
            file.flush()
            os.fsync(file.fileno())
        line = {"chunk": chunk.start // _CHUNK, **counts}
        append_lines(self.folder / _DONE.replace("*", str(rank())), [line])
        self.done = min(self.done + len(chunk) * world(), self.rows)

    def counted(self, name: str) -> int:
        """The sum of a count over all chunks of all processes."""
        return sum({int(line["chunk"]): int(line.get(name, 0)) for line in self._lines()}.values())

    def read(self) -> NDArray[Any]:
        """All rows, memory-mapped."""
        return np.memmap(self._file, self._dtype, "r", shape=(self.rows, self.width))

    def remove(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.folder)

    def _chunk(self, number: int) -> range:
        return range(number * _CHUNK, min((number + 1) * _CHUNK, self.rows))

    def _lines(self) -> Iterator[Row]:
        """What finished processes wrote; a last line cut off by a crash counts for nothing."""
        for path in sorted(self.folder.glob(_DONE)):
            yield from (line for line in read_lines(path) if "chunk" in line)

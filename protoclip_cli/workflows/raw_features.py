"""Features as an encoder gives them, in a file that remembers what is done, so that work can be continued."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protoclip_cli.compute.processes import is_main, rank, wait_for_all, world
from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.store.files import disk_errors

_CHUNK = 8192


class RawFeatures:
    """Rows in chunks. Each process writes chunks of its own into one file, and then that it did."""

    def __init__(self, folder: Path, rows: int, width: int, dtype: str) -> None:
        self.folder, self.rows, self.width = folder, rows, width
        self._dtype = np.dtype(dtype)
        self._file = folder / "features.npy"
        if is_main():
            with disk_errors(f"making {self._file}"):
                folder.mkdir(exist_ok=True)
                if not self._file.is_file():
                    beside = folder / ".features.tmp"
                    np.lib.format.open_memmap(
                        beside, mode="w+", dtype=self._dtype, shape=(rows, width)
                    ).flush()
                    beside.replace(self._file)
        wait_for_all()
        self._memory: NDArray[Any] | None = np.load(self._file, mmap_mode="r+", allow_pickle=False)
        self._known = self._done_before()
        self.done = sum(len(self._chunk(number)) for number in self._known)
        """Rows done, on all processes together as far as this one knows."""
        wait_for_all()

    def missing(self) -> Iterator[range]:
        """This process's chunks that are still to be encoded."""
        numbers = range(-(-self.rows // _CHUNK))
        left = [number for number in numbers if number not in self._known]
        for number in left[rank() :: world()]:
            yield self._chunk(number)

    def write(self, chunk: range, rows: NDArray[np.float32]) -> None:
        """Keep the features of a chunk.

        Raises:
            ProtoclipError: one is not finite.
        """
        kept = rows.astype(self._dtype)
        if bad := int((~np.isfinite(kept)).any(axis=1).sum()):
            raise ProtoclipError(
                f"the teacher gave features that are not finite for {bad} of {len(rows)} captions from row "
                f"{chunk.start}",
                hint="use fp32 and --dtype float32",
            )
        assert self._memory is not None
        with disk_errors(f"writing {self._file}"):
            self._memory[chunk.start : chunk.stop] = kept
            self._memory.flush()  # type: ignore[attr-defined]
            with (self.folder / f"done_{rank()}.jsonl").open("a") as file:
                file.write(json.dumps(chunk.start // _CHUNK) + "\n")
        self.done = min(self.done + len(chunk) * world(), self.rows)

    def close(self) -> None:
        """Let go of the file."""
        self._memory = None

    def read(self) -> NDArray[Any]:
        """All rows, memory-mapped."""
        rows: NDArray[Any] = np.load(self._file, mmap_mode="r", allow_pickle=False)
        return rows

    def remove(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.folder)

    def _chunk(self, number: int) -> range:
        return range(number * _CHUNK, min((number + 1) * _CHUNK, self.rows))

    def _done_before(self) -> set[int]:
        """Chunks that earlier processes finished; a half-written last line counts for nothing."""
        found: set[int] = set()
        for path in self.folder.glob("done_*.jsonl"):
            for line in path.read_text().splitlines(keepends=True):
                if line.endswith("\n") and line.strip().isdigit():
                    found.add(int(line))
        return found

"""Which image a file system does not hand over, and for how long: said, while everybody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import RawArray

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from torch.utils.data import get_worker_info

from protoclip_cli.data.pairs.base import PairSource

PATIENCE = 30.0
"""Seconds until a read is called slow; it is told again each time it has taken twice as long."""


class WatchedReads(PairSource):
    """Another source, which notes what each loader process reads and since when.

    The notes are two numbers a process in memory that all share, so a process that hangs need not speak.
    """

    def __init__(self, source: PairSource, workers: int) -> None:
        """Watch a source.

        Args:
            source: what is read.
            workers: loader processes of this process.
        """
        self.captions, self.fingerprint = source.captions, source.fingerprint
        self.notes, self.in_memory = dict(source.notes), source.in_memory
        self.labels = source.labels
        self._source = source
        self._slots = RawArray("d", 2 * (workers + 1))
        """Of this process and then of each worker: the row plus one, or 0; and since when."""

    def __len__(self) -> int:
        return len(self._source)

    def image(self, row: int, draft: int | None = None) -> Image:
        with self._noted(row):
            return self._source.image(row, draft)

    def size(self, row: int) -> tuple[int, int]:
        with self._noted(row):
            return self._source.size(row)

    def place(self, row: int) -> str:
        return self._source.place(row)

    def image_codes(self) -> NDArray[np.int32]:
        return self._source.image_codes()

    def reading(self) -> list[tuple[int, int, float]]:
        """Process, row and seconds of all that are being read; process 0 is this one."""
        now, slots = time.monotonic(), list(self._slots)
        pairs = enumerate(zip(slots[::2], slots[1::2], strict=True))
        return [(process, int(row) - 1, now - since) for process, (row, since) in pairs if row]

    @contextmanager
    def _noted(self, row: int) -> Iterator[None]:
        worker = get_worker_info()
        slot = 0 if worker is None else 2 * (worker.id + 1)
        self._slots[slot + 1] = time.monotonic()  # the same clock in all processes of a machine
        self._slots[slot] = int(row) + 1
        try:
            yield
        finally:
            self._slots[slot] = 0


@contextmanager
def tell_slow_reads(
    source: PairSource, warn: Callable[[str], None], patience: float = PATIENCE
) -> Iterator[None]:
    """Warn, from a thread, of every read that takes too long.

    Args:
        source: what is read. Other sources than `WatchedReads` tell nothing.
        warn: is given one line.
        patience: seconds until the first warning.
    """
    if not isinstance(source, WatchedReads):
        yield
        return
    done = threading.Event()
    thread = threading.Thread(target=_watch, args=(source, warn, patience, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _watch(source: WatchedReads, warn: Callable[[str], None], patience: float, done: threading.Event) -> None:
    told: dict[tuple[int, int], float] = {}
    while not done.wait(patience / 4):
        reading = {(process, row): seconds for process, row, seconds in source.reading()}
        told = {which: after for which, after in told.items() if which in reading}
        for (process, row), seconds in reading.items():
            if seconds >= told.get((process, row), patience):
                told[process, row] = 2 * seconds
                who = f"loader process {process}" if process else "this process"
                warn(
                    f"{who} has been reading {source.place(row)} for {seconds:.0f} s: "
                    "the disk or network it is on does not answer"
                )

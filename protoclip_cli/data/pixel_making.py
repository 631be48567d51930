"""Making a cache of pixels: once, by one process of a machine, going on after any end."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from protoclip_cli.core.errors import BadImage, ResourceError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.data.loader import load
from protoclip_cli.data.pairs.base import PairSource
from protoclip_cli.data.pixel_cache import (
    ENDS,
    HEADER,
    PIXELS,
    STATE,
    CachedPixels,
    cache_name,
    fitted,
    is_complete,
)
from protoclip_cli.store.files import disk_errors, flush_file, flush_folder, read_json, write_json

_CHUNK = 64
_SAVE_SECONDS = 20.0
_POLL_SECONDS = 0.5

Bad = list[tuple[int, str]]


def open_pixels(
    source: PairSource, folder: Path, size: int, *, workers: int, reporter: Reporter
) -> CachedPixels:
    """A source whose images come from a cache, which is made first where it is not.

    Args:
        source: what to read from.
        folder: of all caches.
        size: the shorter side of an image in the cache, in pixels.
        workers: processes to decode in; 0: this one.
        reporter: who is told what happens.

    Raises:
        ResourceError: the disk has no room for it.
    """
    home = folder / cache_name(source, size)
    if not is_complete(home, len(source)):
        with disk_errors(f"making {home}"):
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(home.with_suffix(".lock"), reporter):
                if not is_complete(home, len(source)):
                    _Making(source, home, size, workers, reporter).run()
    return CachedPixels(source, home)


@contextmanager
def _alone(path: Path, reporter: Reporter) -> Iterator[None]:
    """Hold a lock, which ends with this process however it ends."""
    with path.open("w") as file:
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    reporter.note(f"another process makes the image cache (it holds {path}); waiting for it")
                told = True
                time.sleep(_POLL_SECONDS)
        yield


@dataclass(slots=True)
class _Making:
    source: PairSource
    home: Path
    size: int
    workers: int
    reporter: Reporter

    def run(self) -> None:
        """Fill a folder beside, and move it to its place when it is whole."""
        if self.home.exists():
            shutil.rmtree(self.home)  # damaged
        half = self.home.with_suffix(".part")
        half.mkdir(exist_ok=True)
        ends, state = self._layout(half)
        self._reserve(half, int(ends[-1]))
        self._fill(half, ends, state)
        for name in (PIXELS, ENDS):
            flush_file(half / name)
        half.rename(self.home)
        flush_folder(self.home.parent)

    def _layout(self, half: Path) -> tuple[NDArray[np.int64], dict[str, Any]]:
        """Where each image ends, from the headers of the images alone; and what is done already."""
        try:
            ends = np.load(half / ENDS, allow_pickle=False)
            state = read_json(half / STATE)
            if len(ends) == len(self.source):
                return ends, state
        except (OSError, ValueError):
            pass
        sizes = np.zeros(len(self.source), np.int64)
        bad: Bad = []
        for rows, found in self._read(_Measure(self.source, self.size), 0, "measuring images"):
            sizes[rows.start : rows.stop] = found[0]
            bad += found[1]
        ends = sizes.cumsum()
        np.save(half / ENDS, ends)
        state = {"rows": 0, "bad": {str(row): reason for row, reason in bad}}
        write_json(half / STATE, state)
        return ends, state

    def _reserve(self, half: Path, count: int) -> None:
        """Say what it takes; refuse where that is not there."""
        there = (half / PIXELS).stat().st_blocks * 512 if (half / PIXELS).exists() else 0
        free = shutil.disk_usage(half).free
        self.reporter.note(
            f"image cache: {count:,} bytes for {len(self.source):,} images, shorter side {self.size}, "
            f"in {self.home}"
        )
        if count - there > free:
            raise ResourceError(
                f"the image cache takes {count:,} bytes, and {self.home.parent} has {free + there:,}",
                hint="lower image_cache.size, set image_cache.folder to a larger disk, or remove image_cache",
            )
        with (half / PIXELS).open("ab") as file:
            file.truncate(max(count, 1))  # nothing cannot be mapped

    def _fill(self, half: Path, ends: NDArray[np.int64], state: dict[str, Any]) -> None:
        saved = time.monotonic()
        writer = _Write(self.source, ends, half / PIXELS, self.size)
        for rows, bad in self._read(writer, int(state["rows"]), "making the image cache"):
            state["rows"] = rows.stop
            # What was no image in the first reading keeps the reason it had there.
            state["bad"] = {str(row): reason for row, reason in bad} | state["bad"]
            if time.monotonic() - saved > _SAVE_SECONDS or rows.stop == len(self.source):
                flush_file(half / PIXELS)
                write_json(half / STATE, state)
                saved = time.monotonic()

    def _read(self, reader: Dataset[Any], first: int, what: str) -> Iterator[tuple[range, Any]]:
        total = len(self.source)
        chunks = [range(start, min(start + _CHUNK, total)) for start in range(first, total, _CHUNK)]
        for rows, found in zip(chunks, load(reader, chunks, workers=self.workers, pin=False), strict=True):
            yield rows, found
            self.reporter.progress(what, rows.stop, total)


@dataclass(slots=True)
class _Measure(Dataset[tuple[list[int], Bad]]):
    """Bytes that rows take in the cache."""

    source: PairSource
    size: int

    def __getitem__(self, rows: range) -> tuple[list[int], Bad]:
        sizes, bad = [], []
        for row in rows:
            try:
                width, height = fitted(*self.source.size(row), self.size)
                sizes.append(HEADER + 3 * width * height)
            except BadImage as error:
                sizes.append(0)
                bad.append((row, str(error)))
        return sizes, bad


class _Write(Dataset[Bad]):
    """Decodes rows and writes them where they belong; the file is the same whoever does it and how often."""

    def __init__(self, source: PairSource, ends: NDArray[np.int64], path: Path, size: int) -> None:
        self.source, self.ends, self.path, self.size = source, ends, path, size

    def __getitem__(self, rows: range) -> Bad:
        bad = []
        with disk_errors(f"writing {self.path}"):
            handle = os.open(self.path, os.O_WRONLY)
            try:
                for row in rows:
                    start = int(self.ends[row - 1]) if row else 0
                    if start == self.ends[row]:
                        continue  # its header could not be read
                    try:
                        content = self._content(row, int(self.ends[row]) - start)
                    except BadImage as error:
                        bad.append((row, str(error)))
                    else:
                        _write_all(handle, content, start)
            finally:
                os.close(handle)
        return bad

    def _content(self, row: int, size: int) -> bytes:
        image = self.source.image(row, self.size).convert("RGB")
        # A draft is smaller than the file says, so the size comes from there; it may lie on its side.
        width, height = fitted(*self.source.size(row), self.size)
        if (image.width > image.height) != (width > height):
            width, height = height, width
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BICUBIC)
        content = np.array([width, height], "<u4").tobytes() + image.tobytes()
        if len(content) != size:
            raise BadImage(f"{self.source.place(row)}: has changed while the image cache was made")
        return content


def _write_all(handle: int, content: bytes, start: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(handle, view, start)
        view, start = view[written:], start + written

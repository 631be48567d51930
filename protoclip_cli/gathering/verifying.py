"""Decoding every image of a source once, in all cores."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from protoclip_cli.core.errors import BadImage, ProtoclipError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.data.pairs.base import PairSource

_CHUNK = 256
_opened: list[PairSource] = []
"""In a worker: the source, sent once."""


def bad_images(source: PairSource, *, processes: int, reporter: Reporter) -> dict[int, str]:
    """The rows whose image cannot be used, with the reason of each.

    Args:
        source: of pairs.
        processes: how many decode.
        reporter: who is told.

    Raises:
        ProtoclipError: an image has ended a process.
    """
    starts = range(0, len(source), _CHUNK)
    bad: dict[int, str] = {}
    with ProcessPoolExecutor(processes, get_context("spawn"), initializer=_open, initargs=(source,)) as pool:
        try:
            for start, found in zip(starts, pool.map(_check, starts), strict=True):
                bad |= found
                done = min(start + _CHUNK, len(source))
                reporter.progress("verify", done, len(source), f"{len(bad):,} bad")
        except BrokenProcessPool:
            raise ProtoclipError(
                "a process that decoded images has ended; the memory may be full, or an image is hostile",
                hint="try again with --processes 1",
            ) from None
    return bad


def _open(source: PairSource) -> None:
    _opened.append(source)


def _check(start: int) -> dict[int, str]:
    source = _opened[0]
    return dict(_bad(source, range(start, min(start + _CHUNK, len(source)))))


def _bad(source: PairSource, rows: range) -> Iterator[tuple[int, str]]:
    for row in rows:
        try:
            source.image(row).load()
        except BadImage as error:
            yield row, str(error)

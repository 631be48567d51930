"""Many rows at a time from URL to image, each with its outcome in the journal."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.gathering.fetch import Download
from protoclip_cli.gathering.folder import GatherFolder
from protoclip_cli.gathering.journal import Entry, Journal
from protoclip_cli.gathering.outcomes import Outcome
from protoclip_cli.gathering.picture import Encoded
from protoclip_cli.gathering.pressure import Pressure

_FLUSH_SECONDS = 0.5


@dataclass(slots=True)
class Engine:
    """Works through rows. What is noted in the journal is on disk."""

    folder: GatherFolder
    journal: Journal
    fetch: Callable[[str], Awaitable[Download]]
    encode: Callable[[bytes], Awaitable[Encoded]]
    suffix: str
    """Of image files."""
    pressure: Pressure
    concurrency: int
    reporter: Reporter
    total: int
    """Rows to work through."""
    counts: Counter[Outcome] = field(default_factory=Counter)
    _written: set[str] = field(default_factory=set)
    _began: float = field(default_factory=time.monotonic)

    async def run(self, rows: Iterator[tuple[int, str]], stop: asyncio.Event) -> bool:
        """Work through rows.

        Args:
            rows: numbers and URLs.
            stop: set when all should end soon. What is on its way then is left for the next time.

        Returns:
            Whether all rows were worked through.

        Raises:
            ProtoclipError: the disk is full, or the network fails.
        """
        work = asyncio.create_task(self._all(rows))
        asked, flushing = asyncio.create_task(stop.wait()), asyncio.create_task(self._flush_often())
        try:
            await asyncio.wait({work, asked, flushing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (asked, flushing, work):
                task.cancel()
            ended = await asyncio.gather(work, flushing, return_exceptions=True)
            self._flush()
        for error in ended:
            if isinstance(error, BaseException) and not isinstance(error, asyncio.CancelledError):
                raise _first(error)
        return not work.cancelled()

    async def _all(self, rows: Iterator[tuple[int, str]]) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self.concurrency, self.total)):
                group.create_task(self._some(rows))

    async def _some(self, rows: Iterator[tuple[int, str]]) -> None:
        for row, url in rows:
            async with self.pressure.slot():
                entry = await self._one(row, url)
            self.journal.add(entry)
            self.counts[entry.outcome] += 1
            self.pressure.see(entry.outcome)

    async def _one(self, row: int, url: str) -> Entry:
        download = await self.fetch(url)
        if download.body is None:
            return Entry(row, download.outcome, download.detail or None)
        encoded = await self.encode(download.body)
        if encoded.data is None:
            return Entry(row, encoded.outcome, encoded.detail or None)
        name = self.folder.image(row, self.suffix)
        await asyncio.to_thread(self.folder.write_image, name, encoded.data)
        self._written.add(name)
        return Entry(
            row,
            Outcome.OK,
            None,
            name,
            encoded.sha256,
            encoded.width,
            encoded.height,
            encoded.original_width,
            encoded.original_height,
        )

    async def _flush_often(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            self._flush()
            self._show()

    def _flush(self) -> None:
        written, self._written = self._written, set()
        self.folder.flush(written)
        self.journal.flush()

    def _show(self) -> None:
        done = sum(self.counts.values())
        rate = done / max(time.monotonic() - self._began, 1e-9)
        failures = [(kind, n) for kind, n in self.counts.most_common() if kind is not Outcome.OK][:3]
        words = "".join(f", {n:,} {kind.value}" for kind, n in failures)
        good = self.counts[Outcome.OK] / done if done else 0.0
        self.reporter.progress("gather", done, self.total, f"{rate:,.0f}/s, {good:.0%} ok{words}")


def _first(error: BaseException) -> BaseException:
    """The error itself, out of the groups that tasks put it in; one for the user before all others."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    errors = [_first(one) for one in error.exceptions]
    return next((one for one in errors if isinstance(one, ProtoclipError)), errors[0])

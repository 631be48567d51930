"""What hosts say in robots.txt about programs of our name.

As in RFC 9309, an answer of the 4xx kind and too many redirects mean that there are no rules, and a host
whose rules cannot be had (5xx, silence, no connection; here also 429) is not asked for images either. What
was wrong with robots.txt is then the outcome of the image: a failure to try again, not a wish of the host.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.robotparser import RobotFileParser

from yarl import URL

from protoclip_cli.gathering.opt_out import TOKEN
from protoclip_cli.gathering.outcomes import Failed, Outcome

_KEPT_SECONDS = 24 * 3600.0
_FAILURE_KEPT_SECONDS = 30.0
_KEPT_BYTES = 32_000_000
_ENTRY_BYTES = 2_000
_SLOWEST = 10.0
_NO_RULES = {Outcome.HTTP_4XX, Outcome.REDIRECT_LIMIT}


class RobotsFailed(Failed):
    """A robots.txt could not be had; it has been tried more than once."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What a robots.txt says about one address."""

    allowed: bool
    delay: float = 0.0
    """Seconds between requests that the host asks for."""


@dataclass(slots=True)
class _Rules:
    parser: RobotFileParser | None
    failed: Failed | None
    size: int


@dataclass(slots=True)
class _Known:
    loading: asyncio.Task[_Rules]
    until: float = float("inf")
    size: int = _ENTRY_BYTES


class RobotsFiles:
    """The robots.txt of the hosts asked last."""

    def __init__(self, read: Callable[[URL], Awaitable[bytes]], kept_bytes: int = _KEPT_BYTES) -> None:
        """Take what reads one.

        Args:
            read: the content behind an address; raises `Failed`.
            kept_bytes: of content, remembered at a time.
        """
        self._read = read
        self._kept_bytes = kept_bytes
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._known)

    async def permission(self, url: URL) -> Permission:
        """Whether an address may be fetched.

        Raises:
            RobotsFailed: the robots.txt of its host could not be had.
        """
        # Those who ask at the same time share one request; none of them can call it off for the others.
        rules = await asyncio.shield(self._entry(url).loading)
        if rules.failed is not None:
            failed = rules.failed
            raise RobotsFailed(failed.outcome, f"robots.txt: {failed.detail}")
        if rules.parser is None:
            return Permission(allowed=True)
        delay = rules.parser.crawl_delay(TOKEN)
        return Permission(rules.parser.can_fetch(TOKEN, str(url)), min(float(delay or 0), _SLOWEST))

    async def close(self) -> None:
        """Call off what is under way."""
        loading = [known.loading for known in self._known.values() if not known.loading.done()]
        for task in loading:
            task.cancel()
        await asyncio.gather(*loading, return_exceptions=True)
        self._known.clear()

    def _entry(self, url: URL) -> _Known:
        origin = str(url.origin())
        known = self._known.get(origin)
        if known is None or known.until < time.monotonic():
            known = self._known[origin] = _Known(asyncio.create_task(self._load(url.origin() / "robots.txt")))
            known.loading.add_done_callback(lambda _, known=known: self._loaded(known))  # type: ignore[misc]
        self._known.move_to_end(origin)
        return known

    def _loaded(self, known: _Known) -> None:
        if known.loading.cancelled():
            known.until = 0.0
            return
        rules = known.loading.result()
        known.size = rules.size
        known.until = time.monotonic() + (_FAILURE_KEPT_SECONDS if rules.failed else _KEPT_SECONDS)
        size = sum(entry.size for entry in self._known.values())
        while size > self._kept_bytes and len(self._known) > 1:
            size -= self._known.popitem(last=False)[1].size

    async def _load(self, url: URL) -> _Rules:
        try:
            body = await self._read(url)
        except Failed as failed:
            return _Rules(None, None if failed.outcome in _NO_RULES else failed, _ENTRY_BYTES)
        parser = RobotFileParser()
        parser.parse(body.decode("utf-8-sig", "replace").splitlines())
        # Rules for others only take memory.
        parser.entries = [entry for entry in parser.entries if entry.applies_to(TOKEN)]  # type: ignore[attr-defined]
        return _Rules(parser, None, _ENTRY_BYTES + len(body))

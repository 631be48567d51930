"""Turns at each host: few requests at a time, not too close to each other, none while it asks for a pause."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

_REMEMBERED = 1_000


@dataclass(slots=True)
class _Host:
    turns: asyncio.Semaphore
    next_start: float = 0.0
    users: int = 0


class Hosts:
    """What is known of hosts. One that is idle and due is forgotten."""

    def __init__(self, requests: int, seconds: float = 0.0, pace: Mapping[str, float] | None = None) -> None:
        """Set the rules.

        Args:
            requests: to one host at a time.
            seconds: between the beginnings of two requests to one host.
            pace: other seconds for certain hosts, such as those with a large share of the list.
        """
        self._requests = requests
        self._seconds = seconds
        self._pace = dict(pace or {})
        self._known: dict[str, _Host] = {}
        self._sweep_at = _REMEMBERED

    def __len__(self) -> int:
        """How many hosts are remembered."""
        return len(self._known)

    def delay(self, host: str) -> float:
        """Seconds until a request to a host could begin, if no other does before."""
        known = self._known.get(host)
        return 0.0 if known is None else max(0.0, known.next_start - time.monotonic())

    def pause(self, host: str, seconds: float) -> None:
        """Begin no request to a host for some seconds."""
        known = self._host(host)
        known.next_start = max(known.next_start, time.monotonic() + seconds)

    @asynccontextmanager
    async def turn(self, host: str, at_least: float = 0.0) -> AsyncIterator[None]:
        """Wait for a turn, and hold it.

        Args:
            host: its name.
            at_least: seconds between the beginnings of two requests that the host itself asks for.
        """
        seconds = max(at_least, self._pace.get(host, self._seconds))
        known = self._host(host)
        known.users += 1
        try:
            async with known.turns:
                while (wait := known.next_start - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                known.next_start = time.monotonic() + seconds
                yield
        finally:
            known.users -= 1

    def _host(self, host: str) -> _Host:
        if len(self._known) >= self._sweep_at:
            self._forget_idle()
        return self._known.setdefault(host, _Host(asyncio.Semaphore(self._requests)))

    def _forget_idle(self) -> None:
        now = time.monotonic()
        self._known = {name: h for name, h in self._known.items() if h.users or h.next_start > now}
        # Where most are in use, sweeping at each new one would cost a pass over all of them each time.
        self._sweep_at = max(_REMEMBERED, 2 * len(self._known))


def parse_retry_after(value: str | None, longest: float) -> float | None:
    """Seconds that a Retry-After header asks for, at most `longest`. None: none, or not readable.

    >>> parse_retry_after("7", 60), parse_retry_after("9999", 60), parse_retry_after("soon", 60)
    (7.0, 60, None)
    >>> parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 60)
    0.0
    """
    text = (value or "").strip()
    if text.isdecimal() and text.isascii():
        return min(float(text[:12]), longest)
    try:
        until = email.utils.parsedate_tz(text)
        return None if until is None else min(max(email.utils.mktime_tz(until) - time.time(), 0.0), longest)
    except (ValueError, OverflowError, TypeError):
        return None

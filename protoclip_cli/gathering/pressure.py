"""Fewer addresses at a time when names and answers fail to come, and more again when they do."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.gathering.outcomes import Outcome

_CROWDED = frozenset({Outcome.DNS, Outcome.CONNECT, Outcome.TIMEOUT_CONNECT, Outcome.TIMEOUT_READ})
_STEP, _TOO_MANY = 100, 0.05
_LEAST, _DOWN, _UP = 4, 0.7, 0.05
_WINDOW, _ENOUGH, _HOPELESS = 1000, 300, 0.5

ADVICE = {
    Outcome.DNS: "the resolver is overloaded or out of reach: try --concurrency 32",
    Outcome.CONNECT: "is this machine online, and does a firewall let it out? Try a lower --concurrency",
    Outcome.TLS: "are the certificates of this machine up to date?",
    Outcome.TIMEOUT_CONNECT: "the network is overloaded: try a lower --concurrency",
    Outcome.TIMEOUT_READ: "the network is overloaded: try a lower --concurrency or a longer --timeout",
    Outcome.TIMEOUT_TOTAL: "the network is overloaded: try a lower --concurrency or a longer --timeout",
    Outcome.HTTP_429: "the hosts ask for less: try a lower --per-host or a longer --pause",
    Outcome.HTTP_5XX: "the hosts are in trouble: try again later with --retry http_5xx",
    Outcome.HTTP_4XX: "links of old lists die; what is gone is gone",
    Outcome.BLOCKED_ADDRESS: "hosts are not on the public internet: --allow-private asks them all the same",
    Outcome.OPTED_OUT_ROBOTS: "the hosts do not want to be asked by programs",
    Outcome.OPTED_OUT_HEADER: "the owners do not want their images to be trained on",
    Outcome.NOT_IMAGE: "do the URLs lead to images, or to pages about them?",
    Outcome.ASPECT: "--max-aspect keeps longer images",
    Outcome.TOO_SMALL: "--min-side keeps smaller images",
    Outcome.BAD_URL: "is it the right column? Name it with --url-col",
    Outcome.IO_ERROR: "is the disk full, or the folder not writable?",
}
"""What to do if one outcome dominates."""


class Pressure:
    """Lets so many work at a time as the network takes (additive increase, multiplicative decrease)."""

    def __init__(self, most: int, *, keep_going: bool = False) -> None:
        """Begin with the most.

        Args:
            most: at a time.
            keep_going: go on also if one failure dominates.
        """
        self._most, self._limit, self._active = most, float(most), 0
        self._keep_going = keep_going
        self._changed = asyncio.Condition()
        self._last: deque[Outcome] = deque(maxlen=_WINDOW)
        self._new = 0

    @property
    def limit(self) -> int:
        """How many may work at a time now."""
        return int(self._limit)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a place, and free it afterwards."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._active < self.limit)
            self._active += 1
        try:
            yield
        finally:
            async with self._changed:
                self._active -= 1
                self._changed.notify_all()

    def see(self, outcome: Outcome) -> None:
        """Learn from an outcome.

        Raises:
            ProtoclipError: more than half of the last ones failed in the same way that another time may not.
        """
        self._last.append(outcome)
        self._new += 1
        if self._new < _STEP:
            return
        self._new = 0
        last = list(self._last)[-_STEP:]
        if sum(one in _CROWDED for one in last) > _TOO_MANY * _STEP:
            self._limit = max(min(_LEAST, self._most), self._limit * _DOWN)
        else:
            self._limit = min(self._most, self._limit + max(1, self._most * _UP))
        self._give_up()

    def _give_up(self) -> None:
        (worst, count), *_ = Counter(self._last).most_common(1)
        share = count / len(self._last)
        if self._keep_going or not worst.transient or len(self._last) < _ENOUGH or share <= _HOPELESS:
            return
        raise ProtoclipError(
            f"stopped: {share:.0%} of the last {len(self._last):,} addresses ended as {worst.value}",
            hint=f"{ADVICE[worst]}; the same command goes on, and --retry {worst.value} tries those again",
        )


def diagnosis(counts: dict[str, int]) -> str | None:
    """One line of advice if one kind of failure dominates.

    >>> diagnosis({"ok": 3, "dns": 7})
    '70 % ended as dns: the resolver is overloaded or out of reach: try --concurrency 32'
    """
    total = sum(counts.values())
    for name, count in counts.items():
        if name != Outcome.OK and count > 0.25 * total and (advice := ADVICE.get(Outcome(name))):
            return f"{100 * count / total:.0f} % ended as {name}: {advice}"
    return None

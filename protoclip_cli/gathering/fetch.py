"""From one address to the bytes behind it, whatever is behind it."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDictProxy
from yarl import URL

from protoclip_cli.gathering.addresses import socket_factory
from protoclip_cli.gathering.answers import Answer, Terms, get
from protoclip_cli.gathering.failures import explain
from protoclip_cli.gathering.hosts import Hosts, parse_retry_after
from protoclip_cli.gathering.limits import FetchLimits
from protoclip_cli.gathering.locations import next_url, parse_url
from protoclip_cli.gathering.names import Resolver
from protoclip_cli.gathering.opt_out import opted_out
from protoclip_cli.gathering.outcomes import Failed, Outcome
from protoclip_cli.gathering.robots import RobotsFailed, RobotsFiles

# Another try within seconds may help. Names are left out: their look-up tries again by itself.
_TRY_AGAIN = {
    Outcome.CONNECT,
    Outcome.TIMEOUT_CONNECT,
    Outcome.TIMEOUT_READ,
    Outcome.HTTP_429,
    Outcome.HTTP_5XX,
}
_DNS_KEPT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Download:
    """How one address ended."""

    outcome: Outcome
    detail: str
    """For people: the code of the answer, the words of the error."""
    body: bytes | None
    """There if, and only if, the outcome is ok."""
    url: str
    """The last address asked, after redirects."""
    attempts: int

    @property
    def transient(self) -> bool:
        """Whether the same address may end better another time."""
        return self.outcome.transient


@dataclass(slots=True)
class _Trip:
    """The way from one address of the list."""

    start: str
    last: str
    ends: float
    """Time of the event loop."""
    image: bool = True
    """An image; otherwise a robots.txt."""


class Fetcher:
    """Downloads. To be entered with `async with`; any number of `fetch` may run at a time."""

    def __init__(
        self,
        limits: FetchLimits | None = None,
        *,
        pace: Mapping[str, float] | None = None,
        tls: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """Set the rules.

        Args:
            limits: what a download may cost, and what it respects.
            pace: seconds between requests to certain hosts, such as those with a large share of the list.
            tls: other certificates to trust than the system's.
            resolver: looks up names of hosts instead of the system.
        """
        self.limits = limits or FetchLimits()
        self.hosts = Hosts(self.limits.host_requests, self.limits.host_seconds, pace)
        self._robots = RobotsFiles(self._read_robots)
        self._tls = tls
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the session."""
        limits = self.limits
        connector = aiohttp.TCPConnector(
            limit=0,  # who calls `fetch` decides how many run at a time
            resolver=self._resolver or Resolver(limits.dns_seconds),
            ttl_dns_cache=_DNS_KEPT_SECONDS,
            ssl=self._tls or True,
            socket_factory=socket_factory(allow_private=limits.allow_private),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={
                "User-Agent": limits.user_agent,
                "Accept": "image/jpeg,image/png,image/webp,image/gif,image/bmp,*/*;q=0.1",
                "Accept-Encoding": "identity",
            },
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=limits.connect_seconds, sock_read=limits.read_seconds
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        # It would ask a host that hangs up twice each time, without a pause. Trying again is decided here.
        self._session._retry_connection = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what is open."""
        await self._robots.close()
        if self._session is not None:
            await self._session.close()

    async def fetch(self, url: str) -> Download:
        """Download what is behind an address. Raises nothing but `CancelledError`."""
        return await self._fetch(_Trip(url, url, self._now() + self.limits.total_seconds))

    async def _fetch(self, trip: _Trip) -> Download:
        attempts = 0
        while True:
            attempts += 1
            try:
                body = await self._travel(trip)
                return Download(Outcome.OK, "", body, trip.last, attempts)
            except Exception as error:
                failed = explain(error)
            if attempts >= self.limits.attempts or not await self._pause(trip, failed, attempts):
                return Download(failed.outcome, failed.detail, None, trip.last, attempts)

    async def _pause(self, trip: _Trip, failed: Failed, attempts: int) -> bool:
        """Wait before another try; false where none can help or none is left time for."""
        if failed.outcome not in _TRY_AGAIN or isinstance(failed, RobotsFailed):
            return False
        pause = self.limits.backoff_seconds * 2 ** (attempts - 1) * random.uniform(0.5, 1.5)
        pause = max(pause, failed.retry_after or 0.0)
        if self._now() + pause >= trip.ends:
            return False
        await asyncio.sleep(pause)
        return True

    async def _travel(self, trip: _Trip) -> bytes:
        """Follow redirects to the content."""
        url = parse_url(trip.start, self.limits)
        for _ in range(self.limits.redirects + 1):
            trip.last = str(url)
            answer = await self._ask(url, trip)
            if answer.location is None:
                return answer.body
            url = next_url(url, answer.location, self.limits)
        raise Failed(Outcome.REDIRECT_LIMIT, f"more than {self.limits.redirects}")

    async def _ask(self, url: URL, trip: _Trip) -> Answer:
        """One request, when the host permits it and it is our turn."""
        if self._session is None:
            raise RuntimeError("a Fetcher is used inside of `async with`")
        limits, host = self.limits, url.raw_host or ""
        began = self._now()
        delay = await self._ask_robots(url) if trip.image and not limits.ignore_robots else 0.0
        async with self.hosts.turn(host, delay):
            trip.ends += self._now() - began
            terms = (
                Terms(ends=trip.ends, body_bytes=limits.body_bytes, check=self._check)
                if trip.image
                else Terms(ends=trip.ends, body_bytes=limits.robots_bytes, cut=True)
            )
            answer = await get(self._session, url, terms)
            retry_after = parse_retry_after(answer.retry_after, limits.retry_after_seconds)
            if retry_after is not None and answer.status in {429, 503}:
                self.hosts.pause(host, retry_after)
        _judge(answer, retry_after, allow_empty=not trip.image)
        return answer

    async def _ask_robots(self, url: URL) -> float:
        permission = await self._robots.permission(url)
        if not permission.allowed:
            raise Failed(Outcome.OPTED_OUT_ROBOTS)
        return permission.delay

    async def _read_robots(self, url: URL) -> bytes:
        text = str(url)
        got = await self._fetch(_Trip(text, text, self._now() + self.limits.robots_seconds, image=False))
        if got.body is None:
            raise Failed(got.outcome, got.detail)
        return got.body

    def _check(self, headers: CIMultiDictProxy[str]) -> None:
        word = opted_out(headers.getall("X-Robots-Tag", ()), self.limits.directives)
        if word is not None:
            raise Failed(Outcome.OPTED_OUT_HEADER, word)
        if self.limits.obey_tdm and headers.get("tdm-reservation", "").strip() == "1":
            raise Failed(Outcome.OPTED_OUT_HEADER, "tdm-reservation")

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _judge(answer: Answer, retry_after: float | None, *, allow_empty: bool) -> None:
    status, code = answer.status, str(answer.status)
    if status == 429:
        raise Failed(Outcome.HTTP_429, code, retry_after=retry_after)
    if status >= 500:
        raise Failed(Outcome.HTTP_5XX, code, retry_after=retry_after)
    if answer.location is None and not 200 <= status < 300:
        raise Failed(Outcome.HTTP_4XX, code)
    if not answer.location and not answer.body and not allow_empty:
        raise Failed(Outcome.EMPTY, code)

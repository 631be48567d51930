"""One request, one answer: no redirect followed, nothing tried twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from protoclip_cli.gathering.failures import explain
from protoclip_cli.gathering.outcomes import Failed, Outcome

_REDIRECTS = {301, 302, 303, 307, 308}
_CHUNK = 2**16


@dataclass(frozen=True, slots=True)
class Answer:
    """What a host said."""

    status: int
    location: str | None
    """Where it sends us on to."""
    retry_after: str | None
    """Its header of that name."""
    body: bytes
    """Empty unless the status is of the 2xx kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an answer may cost."""

    ends: float
    """The time of the event loop at which it must be whole."""
    body_bytes: int
    cut: bool = False
    """A larger content is cut there; otherwise it is refused."""
    check: Callable[[CIMultiDictProxy[str]], None] | None = None
    """Sees the headers before the content is read, and may raise `Failed`."""


async def get(session: aiohttp.ClientSession, url: URL, terms: Terms) -> Answer:
    """Ask for an address.

    Raises:
        Failed: there was no answer, or one that its terms refuse.
    """
    try:
        async with asyncio.timeout_at(terms.ends):
            response = await session.get(url, allow_redirects=False)
            # Closing a response that is read whole leaves its connection open for the next one.
            with closing(response):
                return await _read(response, terms)
    except Exception as error:
        raise explain(error) from error


async def _read(response: aiohttp.ClientResponse, terms: Terms) -> Answer:
    if terms.check is not None and response.status < 400:
        terms.check(response.headers)
    location = response.headers.get("Location") if response.status in _REDIRECTS else None
    body = await _body(response, terms) if 200 <= response.status < 300 else b""
    return Answer(response.status, location, response.headers.get("Retry-After"), body)


async def _body(response: aiohttp.ClientResponse, terms: Terms) -> bytes:
    said = response.content_length
    if said is not None and said > terms.body_bytes and not terms.cut:
        raise Failed(Outcome.TOO_LARGE, f"says {said:,} bytes")
    chunks: list[bytes] = []
    room = terms.body_bytes
    async for chunk in response.content.iter_chunked(_CHUNK):
        chunks.append(chunk[:room])
        room -= len(chunk)
        if room < 0:
            if terms.cut:
                break
            raise Failed(Outcome.TOO_LARGE, f"more than {terms.body_bytes:,} bytes")
    return b"".join(chunks)

"""Names of hosts are looked up on threads of their own: many dead names must not hold up the others."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiohttp.abc import AbstractResolver, ResolveResult

# The system's look-up cannot be called off; a thread stays with it, for half a minute at worst.
_THREADS = 64


class Resolver(AbstractResolver):
    """The system's look-up, with a time limit."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """All addresses of a host.

        Raises:
            OSError: it has none, or they took too long.
        """
        looking = asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port, family)
        try:
            return await asyncio.wait_for(looking, self._seconds)
        except TimeoutError:
            # Not a TimeoutError, which would read as one of the connection.
            raise OSError(socket.EAI_AGAIN, f"no answer in {self._seconds:g} s") from None

    async def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)
    except UnicodeError:  # a part of the name is empty or longer than 63 letters
        raise OSError(socket.EAI_NONAME, "no name of a host") from None
    return [
        ResolveResult(
            hostname=host,
            host=str(place[0]),
            port=int(place[1]),
            family=kind,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for kind, _, protocol, _, place in found
    ]

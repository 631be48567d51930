"""From any exception of the network to an outcome."""

from __future__ import annotations

import errno
import ssl

import aiohttp
from aiohttp.http_exceptions import BadHttpMessage, LineTooLong

from protoclip_cli.gathering.addresses import BlockedAddress
from protoclip_cli.gathering.outcomes import Failed, Outcome

# The first that fits.
_OUTCOMES: tuple[tuple[tuple[type[BaseException], ...], Outcome], ...] = (
    ((aiohttp.ClientConnectorDNSError,), Outcome.DNS),
    ((aiohttp.ClientSSLError, ssl.SSLError, ssl.CertificateError), Outcome.TLS),
    ((aiohttp.ConnectionTimeoutError,), Outcome.TIMEOUT_CONNECT),
    ((aiohttp.ServerTimeoutError,), Outcome.TIMEOUT_READ),
    ((aiohttp.InvalidURL, UnicodeError), Outcome.BAD_URL),
    ((aiohttp.ClientError, ConnectionError, EOFError), Outcome.CONNECT),
    ((TimeoutError,), Outcome.TIMEOUT_TOTAL),
)
# Ours, not the host's.
_THIS_MACHINE = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def explain(error: Exception) -> Failed:
    """The outcome that an exception stands for."""
    if isinstance(error, Failed):
        return error
    if not isinstance(error, aiohttp.ClientConnectorDNSError):
        cause = next((cause for link in _chain(error) if (cause := _telling(link))), None)
        if cause is not None:
            return cause
    for kinds, outcome in _OUTCOMES:
        if isinstance(error, kinds):
            return Failed(outcome, _words(error))
    # Nothing a stranger sends may end the whole run, not even what nobody has thought of.
    return Failed(Outcome.IO_ERROR, f"{type(error).__name__}: {error}")


def _telling(link: BaseException) -> Failed | None:
    """What one of the causes of an exception says, where that is more than the exception itself."""
    if isinstance(link, BlockedAddress):
        return Failed(Outcome.BLOCKED_ADDRESS)
    if isinstance(link, LineTooLong) or (
        isinstance(link, BadHttpMessage) and link.message.startswith("Too many headers")
    ):
        return Failed(Outcome.TOO_LARGE, "headers")
    if isinstance(link, OSError) and link.errno in _THIS_MACHINE:
        return Failed(Outcome.IO_ERROR, _words(link))
    return None


def _chain(error: BaseException | None) -> list[BaseException]:
    links: list[BaseException] = []
    while error is not None and error not in links:
        links.append(error)
        error = error.__cause__ or error.__context__
    return links


def _words(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientResponseError):
        return f"no HTTP: {error.message}"
    inner = getattr(error, "os_error", error)
    return str(getattr(inner, "strerror", None) or inner) or type(inner).__name__

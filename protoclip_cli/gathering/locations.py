"""From the text of an address to one that may be asked for."""

from __future__ import annotations

import re

from yarl import URL

from protoclip_cli.gathering.addresses import canonical_host
from protoclip_cli.gathering.limits import FetchLimits
from protoclip_cli.gathering.outcomes import Failed, Outcome

_LONGEST = 8_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def parse_url(text: str, limits: FetchLimits) -> URL:
    """A checked address, without user, password and fragment.

    Raises:
        Failed: it is none, or its scheme or port is not allowed.
    """
    return _checked(_parsed(text), limits)


def next_url(here: URL, location: str, limits: FetchLimits) -> URL:
    """Where a redirect leads, checked like any address.

    Raises:
        Failed: it must not be followed.
    """
    try:
        there = here.join(_parsed(location))
    except ValueError as error:
        raise Failed(Outcome.BAD_URL, f"redirect: {error}") from None
    there = _checked(there, limits)
    if here.scheme == "https" and there.scheme == "http" and not limits.downgrade:
        raise Failed(Outcome.BLOCKED_SCHEME, "redirect from https to http")
    return there


def _parsed(text: str) -> URL:
    text = text.strip()
    if len(text) > _LONGEST:
        raise Failed(Outcome.BAD_URL, f"longer than {_LONGEST:,} characters")
    if _CONTROL.search(text):
        raise Failed(Outcome.BAD_URL, "has control characters")
    try:
        return URL(text)
    except (ValueError, TypeError) as error:
        raise Failed(Outcome.BAD_URL, str(error)) from None


def _checked(url: URL, limits: FetchLimits) -> URL:
    if not url.scheme:
        raise Failed(Outcome.BAD_URL, "no scheme, such as https://")
    if url.scheme not in {"http", "https"}:
        raise Failed(Outcome.BLOCKED_SCHEME, url.scheme)
    try:
        host, port = url.raw_host, url.port
        if not host:
            raise Failed(Outcome.BAD_URL, "no host")
        canonical = canonical_host(host)
        if canonical != host:
            url = url.with_host(canonical)
        url = url.with_user(None).with_fragment(None)
    except ValueError as error:
        raise Failed(Outcome.BAD_URL, str(error)) from None
    if limits.ports is not None and port not in limits.ports:
        raise Failed(Outcome.BLOCKED_ADDRESS, f"port {port}")
    return url
